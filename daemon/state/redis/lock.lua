-- A lock that a host has set by itself: what is later and higher stays.
-- KEYS[1]: the subject. ARGV: now (0: ask the clock), the rule's id, time left (negative: it ended so
-- long ago), level. Returns {now}.

local id, left, level = word(), number(), number()
local ends, known = read_lock(redis.call('HGET', KEYS[1], 'l' .. id))
ends = math.max(ends, now + left)
if ends + GROWTH_MEMORY > now then
  redis.call('HSET', KEYS[1], 'l' .. id, string.format('%.0f %d', ends, math.max(known, level)))
  redis.call('HDEL', KEYS[1], 'w' .. id)
  keep_for(KEYS[1], ends - now + GROWTH_MEMORY)
end
return {now}
