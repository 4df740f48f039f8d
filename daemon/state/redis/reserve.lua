-- May an attempt be verified? Reserves on all its subjects, or on none.
--
-- ARGV: now (0: ask the clock), how long a reservation stands, 1 in observe mode, how many subjects;
-- for each: the wrong password's name or '', how many rules; for each: id, then (l lock, r refuse,
-- d delay), kind (a attempts, f failures, d distinct), limit, window, merge, token, member.
-- Returns {0, now, '01…' by subject: the password is known, then subject, rule, events and time left
-- of each delay rule}, {1, now, subject, rule, time left} for what strikes, or {2, now} where
-- reservations fill what is left. Subjects and rules count from 0.

local stands = number()
local observes = word() == '1'
local holds = {}
for h = 1, number() do
  local hold = {key = KEYS[2 * h - 1], memory = KEYS[2 * h], password = word(), rules = {}}
  local fields = {}
  for r = 1, number() do
    local rule = {id = word(), after = word(), kind = word(), limit = number(), window = number(),
                  merge = number(), token = word(), member = word()}
    hold.rules[r] = rule
    local f = #fields
    fields[f + 1], fields[f + 2] = 'w' .. rule.id, 'p' .. rule.id
    fields[f + 3], fields[f + 4] = 'l' .. rule.id, 's' .. rule.id
  end
  hold.values = redis.call('HMGET', hold.key, unpack(fields))
  holds[h] = hold
end

local delays = {}
for h, hold in ipairs(holds) do
  for r, rule in ipairs(hold.rules) do
    local v = 4 * (r - 1)
    if rule.after == 'l' then
      local ends = read_lock(hold.values[v + 3])
      if observes then ends = math.max(ends, (read_lock(hold.values[v + 4]))) end
      if ends > now then return {1, now, h - 1, r - 1, ends - now} end
      rule.cells = read_window(hold.values[v + 1], rule)
    else
      rule.cells = read_window(hold.values[v + 1], rule)
      local events = count(rule.cells, rule)
      if rule.after == 'd' then
        local d = #delays
        delays[d + 1], delays[d + 2], delays[d + 3] = h - 1, r - 1, events
        delays[d + 4] = events >= rule.limit and below_limit_in(rule.cells, rule) or 0
      elseif events >= rule.limit then
        return {1, now, h - 1, r - 1, below_limit_in(rule.cells, rule)}
      end
    end
  end
end

local known = ''
for _, hold in ipairs(holds) do
  hold.known = hold.password ~= '' and is_repeat(hold.memory, hold.password)
  known = known .. (hold.known and '1' or '0')
  for r, rule in ipairs(hold.rules) do
    local already = hold.known and rule.kind == 'f' or
                    rule.kind == 'd' and knows(rule.cells, rule.member)
    if rule.after ~= 'd' and not already then
      rule.pending = read_pending(hold.values[4 * r - 2])
      rule.place = find_token(rule.pending, rule.token)
      local used = count(rule.cells, rule) + #rule.pending / 3
      if not rule.place and used >= rule.limit and #rule.pending > 0 and not observes then
        return {2, now}
      end
    end
  end
end

for _, hold in ipairs(holds) do
  local fields = {}
  for _, rule in ipairs(hold.rules) do
    local pending = rule.pending
    if pending then
      local place = rule.place
      if place then
        pending[place + 1], pending[place + 2] = now + stands, pending[place + 2] + 1
      else
        local n = #pending
        pending[n + 1], pending[n + 2], pending[n + 3] = rule.token, now + stands, 1
      end
      fields[#fields + 1] = 'p' .. rule.id
      fields[#fields + 1] = cmsgpack.pack(pending)
    end
  end
  if #fields > 0 then
    redis.call('HSET', hold.key, unpack(fields))
    keep_for(hold.key, stands)
  end
end
return {0, now, known, unpack(delays)}
