-- What became of an attempt: its reservations end, its events count, locks are set, a success gives
-- its network's failures back.
--
-- ARGV: now (0: ask the clock), how long ago it happened, 1 in observe mode, the network's tag, the
-- attempt's name, how many subjects; for each: the wrong password's name or '', 1 to remember it, how
-- many rules; for each: id, then, kind, limit, window, merge, token or '', member, 1 if it is an
-- event, 1 to give back, how long a lock lasts, growth's factor, its cap or 0.
-- Returns {now, subjects that gave something back, then subject, rule, time left and level of each
-- lock that was set}.

local age = number()
local observes = word() == '1'
local tag = word()
local serial = word()
local gave, locks = {}, {}

-- Takes the network's events out that came before the success; whether there were any.
local function give_back(cells)
  local kept = {cells[1]}
  for i = 2, #cells, 4 do
    if cells[i + 2] ~= tag or cells[i] > now - age then
      local n = #kept
      kept[n + 1], kept[n + 2], kept[n + 3], kept[n + 4] =
        cells[i], cells[i + 1], cells[i + 2], cells[i + 3]
    end
  end
  return kept, #kept ~= #cells
end

local function add_member(cells, rule)
  if knows(cells, rule.member) then
    for i = 2, #cells, 4 do
      if cells[i + 3] == rule.member then
        cells[i] = math.max(cells[i], now - age)
        if cells[i + 2] ~= tag then cells[i + 2] = '0' end
      end
    end
    return cells
  end
  local n = #cells
  cells[n + 1], cells[n + 2], cells[n + 3], cells[n + 4] = now - age, 1, tag, rule.member
  while (#cells - 1) / 4 > EXACT_MEMBERS do
    local kept = {cells[1] + 1}
    for i = 2, #cells, 4 do
      if sampled(kept, cells[i + 3]) then
        local k = #kept
        kept[k + 1], kept[k + 2], kept[k + 3], kept[k + 4] =
          cells[i], cells[i + 1], cells[i + 2], cells[i + 3]
      end
    end
    cells = kept
  end
  return cells
end

local function add_event(cells, rule)
  for i = 5, #cells, 4 do
    if cells[i] == serial then return cells end  -- told twice
  end
  local n = #cells
  local time = now - age
  if rule.merge > 0 and n > 1 and cells[n - 1] == tag and time - cells[n - 3] <= rule.merge then
    cells[n - 2] = cells[n - 2] + 1
    cells[n] = serial
    return cells
  end
  cells[n + 1], cells[n + 2], cells[n + 3], cells[n + 4] = time, 1, tag, serial
  if (n - 1) / 4 >= MAX_CELLS then
    cells[7] = cells[7] + cells[3]
    if cells[8] ~= cells[4] then cells[8] = '0' end
    for _ = 1, 4 do table.remove(cells, 2) end
  end
  return cells
end

for h = 1, number() do
  local key, memory = KEYS[2 * h - 1], KEYS[2 * h]
  local password, notes = word(), word() == '1'
  local rules, fields = {}, {}
  for r = 1, number() do
    local rule = {id = word(), after = word(), kind = word(), limit = number(), window = number(),
                  merge = number(), token = word(), member = word(), event = word() == '1',
                  gives = word() == '1', lasts = number(), factor = number(), cap = number()}
    rules[r] = rule
    fields[#fields + 1] = 'w' .. rule.id
    fields[#fields + 1] = 'p' .. rule.id
    fields[#fields + 1] = (observes and 's' or 'l') .. rule.id
  end
  local known = false
  if notes then
    known = is_repeat(memory, password)
    redis.call('ZADD', memory, now - age, password)
    redis.call('ZREMRANGEBYSCORE', memory, '-inf', now - REPEAT_FOR)
    redis.call('ZREMRANGEBYRANK', memory, 0, -MAX_REPEATS - 1)
    redis.call('PEXPIRE', memory, REPEAT_FOR)
  end
  local values = #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
  local set, dead, ttl = {}, {}, 0
  local function store(field, packed, stands)
    set[#set + 1], set[#set + 2] = field, packed
    ttl = math.max(ttl, stands)
  end
  for r, rule in ipairs(rules) do
    local raw, pending, last = values[3 * r - 2], values[3 * r - 1], values[3 * r]
    if rule.token ~= '' and pending then
      local left = read_pending(pending)
      local place = find_token(left, rule.token)
      if place then
        left[place + 2] = left[place + 2] - 1
        if left[place + 2] <= 0 then
          for _ = 1, 3 do table.remove(left, place) end
        end
      end
      if #left > 0 then store('p' .. rule.id, cmsgpack.pack(left), 0)
      else dead[#dead + 1] = 'p' .. rule.id end
    end
    local counts = rule.event and age < rule.window and not (known and rule.kind == 'f')
    if counts or (rule.gives and raw) then
      local cells, changed = read_window(raw, rule), counts
      if rule.gives then
        local given
        cells, given = give_back(cells)
        if given then
          changed = true
          if gave[#gave] ~= h - 1 then gave[#gave + 1] = h - 1 end
        end
      end
      if counts then
        cells = rule.kind == 'd' and add_member(cells, rule) or add_event(cells, rule)
      end
      if counts and rule.after == 'l' and count(cells, rule) >= rule.limit then
        local ends, level = read_lock(last)
        level = rule.cap > 0 and ends > 0 and now < ends + GROWTH_MEMORY and level + 1 or 1
        local lasts = rule.lasts
        if rule.cap > 0 then lasts = math.min(rule.cap, lasts * rule.factor ^ (level - 1)) end
        lasts = math.floor(lasts)
        store((observes and 's' or 'l') .. rule.id,
              string.format('%.0f %d', now + lasts, level), lasts + GROWTH_MEMORY)
        local l = #locks
        locks[l + 1], locks[l + 2], locks[l + 3], locks[l + 4] = h - 1, r - 1, lasts, level
        cells = {0}
      end
      if #cells == 1 then
        if raw then dead[#dead + 1] = 'w' .. rule.id end
      elseif changed then
        store('w' .. rule.id, cmsgpack.pack(cells), rule.window + rule.merge)
      end
    end
  end
  if #set > 0 then
    redis.call('HSET', key, unpack(set))
    keep_for(key, ttl)
  end
  if #dead > 0 then redis.call('HDEL', key, unpack(dead)) end
end
return {now, gave, unpack(locks)}
