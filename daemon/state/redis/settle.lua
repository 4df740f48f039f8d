-- What became of an attempt: its reservations end, its events count, locks are set, a success gives
-- its network's failures back. Told twice, it counts once.
--
-- KEYS: each subject, the sorted set of its wrong passwords, and, where a rule's window merges, that
-- of its attempts of the last minute. ARGV[1]: now (0: ask the clock). ARGV[2]: d how long ago it
-- happened, B observe mode, I4 the network's tag, d the attempt, B subjects; for each of them: d the
-- wrong password's name or 0, B remember it, B a window merges, B rules; for each of these: as
-- reserve.lua has them (token 0: none), B it is an event, B give back, d how long a lock lasts,
-- d growth's factor, d its cap or 0.
-- Returns {now, subjects that gave something back, then subject, rule, time left and level of each
-- lock that was set}.

local TOLD_FOR = 60 * 1000
local EXACT_MEMBERS = 512
local MAX_CELLS = 256
local MAX_REPEATS = 4096
local MAX_REPEATS_HERE = 32
local MAX_LEVEL = 65535
local ASKED = 72  -- bytes of a rule

local data = ARGV[2]
local age, observes, tag, attempt, many, at = take('<dBI4dB', data)
observes = observes == 1
local happened = now - age
local gave, locks_set = {}, {}

local names, key, ahead = {}, 1, at
for h = 1, many do
  local _, _, merges, rules, behind = take('<dBBB', data, ahead)
  names[h] = KEYS[key]
  key = key + 2 + merges
  ahead = behind + rules * ASKED
end
local found = read(names)

key = 1
for h = 1, many do
  local raw = found[h] or make('<dddBI2', now, 0, 0, 0, 0)
  local _, ends, overflow, repeats_many, reservations, repeats_at = take('<dddBI2', raw)
  local reserved_at = repeats_at + repeats_many * REPEAT
  local rules_at = reserved_at + reservations * RESERVATION
  local repeats = sub(raw, repeats_at, reserved_at - 1)
  local reserved = sub(raw, reserved_at, rules_at - 1)
  local state = sub(raw, rules_at)
  local changed, known, told = false, false, nil
  local password, notes, merges, rules
  password, notes, merges, rules, at = take('<dBBB', data, at)
  local memory = KEYS[key + 1]
  if notes == 1 then
    local place
    known, place = is_repeat(raw, repeats_at, repeats_many, overflow, memory, password)
    if place then
      repeats = sub(raw, repeats_at, place - 1) .. sub(raw, place + REPEAT, reserved_at - 1)
    elseif repeats_many >= MAX_REPEATS_HERE then
      -- All of them into the sorted set, if they are of the last hour.
      repeats = ''
      for from = repeats_at, reserved_at - 1, REPEAT do
        local name, seen = take('<dd', raw, from)
        redis.call('ZADD', memory, seen, make('<d', name))
      end
      redis.call('ZREMRANGEBYSCORE', memory, '-inf', now - REPEAT_FOR)
      redis.call('ZREMRANGEBYRANK', memory, 0, -MAX_REPEATS - 1)
      redis.call('PEXPIRE', memory, REPEAT_FOR)
      overflow = now + REPEAT_FOR
    end
    repeats = repeats .. make('<dd', password, happened)
    ends = math.max(ends, now + REPEAT_FOR)
    changed = true
  end
  for r = 1, rules do
    local id, after, kind, limit, window, merge, token, member, event, gives, lasts, factor, cap
    id, after, kind, limit, window, merge, token, member, event, gives, lasts, factor, cap, at =
      take('<dBBI4ddddBBddd', data, at)
    if token ~= 0 then
      for one = 1, #reserved, RESERVATION do
        local of, name, until_then, holders = take('<dddI2', reserved, one)
        if of == id and name == token then
          local left = holders > 1 and make('<dddI2', id, token, until_then, holders - 1) or ''
          reserved = sub(reserved, 1, one - 1) .. left .. sub(reserved, one + RESERVATION)
          changed = true
          break
        end
      end
    end
    local from, locks_at, cells_at, past, over, level, locks
    if event == 1 or gives == 1 then
      from, locks_at, cells_at, past, over, level, locks = find(state, 1, id)
    end
    local lock, shadow, cells = '', '', ''
    if from and over > now then
      if locks % 2 == 1 then lock = sub(state, locks_at, locks_at + LOCK - 1) end
      if locks >= 2 then shadow = sub(state, cells_at - LOCK, cells_at - 1) end
      cells = sub(state, cells_at, past - 1)
    else
      over, level = 0, 0
    end
    local last, grown, setter = 0, 0, nil
    local slot = observes and shadow or lock
    if slot ~= '' then last, grown, setter = take('<dI2d', slot) end
    local counts = event == 1 and age < window and not (known and kind == FAILURES)
    if event == 1 and setter == attempt and last > now then
      -- It was told before, and the answer was lost.
      counts = false
      locks_set[#locks_set + 1], locks_set[#locks_set + 2] = h - 1, r - 1
      locks_set[#locks_set + 1], locks_set[#locks_set + 2] = last - now, grown
    end
    if counts and merge > 0 then
      -- Its cells do not tell attempts apart.
      if told == nil then
        told = redis.call('ZADD', KEYS[key + 2], 'NX', now, make('<d', attempt)) == 0
        redis.call('ZREMRANGEBYSCORE', KEYS[key + 2], '-inf', now - TOLD_FOR)
        redis.call('PEXPIRE', KEYS[key + 2], TOLD_FOR)
      end
      counts = not told
    end
    if counts or gives == 1 and cells ~= '' then
      local stays, events, next_one, kept, place = window + merge, 0, 1, '', nil
      for cell = 1, #cells, CELL do
        local time, happened_then, network, id_of_it = take('<dI4I4d', cells, cell)
        local is_over = time + stays <= now
        -- A success takes its network's events that came before it.
        local is_given = not is_over and gives == 1 and network == tag and time <= happened
        if is_given and gave[#gave] ~= h - 1 then gave[#gave + 1] = h - 1 end
        if is_over or is_given then
          kept = kept .. sub(cells, next_one, cell - 1)
          next_one = cell + CELL
        else
          events = events + happened_then
          if id_of_it == (kind == DISTINCT and member or attempt) then
            place = #kept + cell - next_one + 1
          end
        end
      end
      if next_one > 1 then cells = kept .. sub(cells, next_one) end
      if counts and kind == DISTINCT then
        if place then
          local time, one, network = take('<dI4I4', cells, place)
          cells = sub(cells, 1, place - 1) ..
                  make('<dI4I4d', math.max(time, happened), one, network == tag and tag or 0,
                       member) .. sub(cells, place + CELL)
        elseif member % 2 ^ level == 0 then
          cells = cells .. make('<dI4I4d', happened, 1, tag, member)
          while #cells > EXACT_MEMBERS * CELL do
            level = level + 1
            local sampled = {}
            for cell = 1, #cells, CELL do
              if take('<d', cells, cell + 16) % 2 ^ level == 0 then
                sampled[#sampled + 1] = sub(cells, cell, cell + CELL - 1)
              end
            end
            cells = table.concat(sampled)
          end
        end
        events = #cells / CELL * 2 ^ level
      elseif counts and not place then
        local time, several, network = 0, 0, 0
        if merge > 0 and cells ~= '' then
          time, several, network = take('<dI4I4', cells, #cells - CELL + 1)
        end
        if several > 0 and network == tag and happened - time <= merge then
          cells = sub(cells, 1, -CELL - 1) .. make('<dI4I4d', time, several + 1, tag, attempt)
        else
          if #cells >= MAX_CELLS * CELL then
            -- The two oldest become one that keeps the younger time.
            local _, some, first = take('<dI4I4', cells)
            local younger, more, second, id_of_it = take('<dI4I4d', cells, CELL + 1)
            cells = make('<dI4I4d', younger, some + more, first == second and first or 0,
                         id_of_it) .. sub(cells, 2 * CELL + 1)
          end
          cells = cells .. make('<dI4I4d', happened, 1, tag, attempt)
        end
        events = events + 1
      end
      over = math.max(over, now + stays)
      if counts and after == LOCKS and events >= limit then
        grown = cap > 0 and last > 0 and now < last + GROWTH_MEMORY and
                math.min(grown + 1, MAX_LEVEL) or 1
        if cap > 0 then lasts = math.min(cap, lasts * factor ^ (grown - 1)) end
        lasts = math.floor(lasts)
        slot = make('<dI2d', now + lasts, grown, attempt)
        if observes then shadow = slot else lock = slot end
        over = math.max(over, now + lasts + GROWTH_MEMORY)
        cells = ''
        locks_set[#locks_set + 1], locks_set[#locks_set + 2] = h - 1, r - 1
        locks_set[#locks_set + 1], locks_set[#locks_set + 2] = lasts, grown
      end
      state = put(state, from, past, id, over, cells == '' and 0 or level, lock, shadow, cells)
      ends = math.max(ends, over)
      changed = true
    end
  end
  if changed then
    if repeats == '' and reserved == '' and state == '' and overflow <= now then
      raw = false
      if found[h] then redis.call('UNLINK', names[h]) end
    else
      raw = make('<dddBI2', now, ends, overflow, #repeats / REPEAT, #reserved / RESERVATION) ..
            repeats .. reserved .. state
      write(names[h], raw, ends)
    end
    -- Two of its holds may be on one subject.
    for other = h + 1, many do
      if names[other] == names[h] then found[other] = raw end
    end
  end
  key = key + 2 + merges
end
return {now, gave, unpack(locks_set)}
