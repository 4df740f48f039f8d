-- May an attempt be verified? Reserves on all its subjects, or on none.
--
-- KEYS: each subject, and the sorted set of its wrong passwords. ARGV[1]: now (0: ask the clock).
-- ARGV[2]: d how long a reservation stands, B observe mode, B subjects; for each of them: d the
-- wrong password's name or 0, B rules; for each of these: d id, B what follows, B kind, I4 limit,
-- d window, d merge, d token, d member.
-- Returns {0, now, '01…' by subject: the password is known, then subject, rule, events and time left
-- of each delay rule}, {1, now, subject, rule, time left} for what strikes, or {2, now} where
-- reservations fill what is left. Subjects and rules count from 0.

local MAX_RESERVATIONS = 1000

local data = ARGV[2]
local stands, observes, many, at = take('<dBB', data)
observes = observes == 1
local names = {}
for h = 1, many do names[h] = KEYS[2 * h - 1] end
local found = read(names)

-- What is reserved is written at the end, if nothing strikes.
local fresh, ends_of, delays = {}, {}, {}
local known, is_full = '', false
for h = 1, many do
  local raw = found[h] or make('<dddBI2', now, 0, 0, 0, 0)
  local _, ends, overflow, repeats, reservations, repeats_at = take('<dddBI2', raw)
  local reserved_at = repeats_at + repeats * REPEAT
  local rules_at = reserved_at + reservations * RESERVATION
  local reserved = sub(raw, reserved_at, rules_at - 1)
  local changed = false
  local password, rules
  password, rules, at = take('<dB', data, at)
  local is_known = password ~= 0 and
                   is_repeat(raw, repeats_at, repeats, overflow, KEYS[2 * h], password)
  known = known .. (is_known and '1' or '0')
  for r = 1, rules do
    local id, after, kind, limit, window, merge, token, member
    id, after, kind, limit, window, merge, token, member, at = take('<dBBI4dddd', data, at)
    local stays, events, weight, knows = window + merge, 0, 1, false
    local from, locks_at, cells_at, past, over, level, locks = find(raw, rules_at, id)
    if from and over > now then
      if after == LOCKS and locks > 0 then
        local until_then = locks % 2 == 1 and take('<d', raw, locks_at) or 0
        if observes and locks >= 2 then
          until_then = math.max(until_then, (take('<d', raw, cells_at - LOCK)))
        end
        if until_then > now then return {1, now, h - 1, r - 1, until_then - now} end
      end
      if kind == DISTINCT then
        weight = 2 ^ level
        knows = member % weight ~= 0  -- it would not be sampled
      end
      for cell = cells_at, past - 1, CELL do
        local time, happened, _, id_of_it = take('<dI4I4d', raw, cell)
        if time + stays > now then
          events = events + happened * weight
          if kind == DISTINCT and id_of_it == member then knows = true end
        end
      end
    end
    if events >= limit and after ~= LOCKS then
      -- Milliseconds until the count is below the limit, if nothing is added.
      local cells, total, left = {}, events, 0
      for cell = cells_at, past - 1, CELL do
        local time, happened = take('<dI4', raw, cell)
        if time + stays > now then cells[#cells + 1] = {time + stays - now, happened * weight} end
      end
      table.sort(cells, function(a, b) return a[1] < b[1] end)
      for _, cell in ipairs(cells) do
        left, total = cell[1], total - cell[2]
        if total < limit then break end
      end
      if after == REFUSES then return {1, now, h - 1, r - 1, left} end
      delays[#delays + 1], delays[#delays + 2], delays[#delays + 3], delays[#delays + 4] =
        h - 1, r - 1, events, left
    elseif after == DELAYS then
      delays[#delays + 1], delays[#delays + 2], delays[#delays + 3], delays[#delays + 4] =
        h - 1, r - 1, events, 0
    elseif not (is_known and kind == FAILURES or knows) then
      local others, mine, holders, over_at = 0, nil, 0, nil
      for one = 1, #reserved, RESERVATION do
        local of, name, until_then, of_it = take('<dddI2', reserved, one)
        if until_then <= now then over_at = over_at or one
        elseif of == id and name == token then mine, holders = one, of_it
        elseif of == id then others = others + 1 end
      end
      if others > 0 and not mine and not observes and
         (events + others >= limit or others >= MAX_RESERVATIONS) then
        is_full = true
      elseif others < MAX_RESERVATIONS then
        -- In place of its own, or of one that is over.
        local place = mine or over_at or #reserved + 1
        reserved = sub(reserved, 1, place - 1) ..
                   make('<dddI2', id, token, now + stands, holders + 1) ..
                   sub(reserved, place + RESERVATION)
        changed = true
      end
    end
  end
  if changed then
    ends = math.max(ends, now + stands)
    raw = make('<dddBI2', now, ends, overflow, repeats, #reserved / RESERVATION) ..
          sub(raw, repeats_at, reserved_at - 1) .. reserved .. sub(raw, rules_at)
    fresh[h], ends_of[h] = raw, ends
    -- Two of its holds may be on one subject.
    for other = h + 1, many do
      if names[other] == names[h] then found[other] = raw end
    end
  end
end
if is_full then return {2, now} end
for h = 1, many do
  if fresh[h] then write(names[h], fresh[h], ends_of[h]) end
end
return {0, now, known, unpack(delays)}
