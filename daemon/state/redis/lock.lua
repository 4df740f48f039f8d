-- A lock that a host has set by itself: what is later and higher stays.
-- KEYS[1]: the subject. ARGV[1]: now (0: ask the clock). ARGV[2]: d the rule's id, d time left
-- (negative: it ended so long ago), I2 level. Returns {now}.

local id, left, level = take('<ddI2', ARGV[2])
local raw = read({KEYS[1]})[1] or make('<dddBI2', now, 0, 0, 0, 0)
local _, ends, overflow, repeats, reservations, at = take('<dddBI2', raw)
local rules_at = at + repeats * REPEAT + reservations * RESERVATION
local rules = sub(raw, rules_at)
local from, locks_at, cells_at, past, over, _, locks = find(rules, 1, id)
local last, grown, setter, shadow = 0, 0, 0, ''
if from and over > now then
  if locks % 2 == 1 then last, grown, setter = take('<dI2d', rules, locks_at) end
  if locks >= 2 then shadow = sub(rules, cells_at - LOCK, cells_at - 1) end
else
  over = 0
end
if now + left > last then last, setter = now + left, 0 end
if last + GROWTH_MEMORY > now then
  over = math.max(over, last + GROWTH_MEMORY)
  rules = put(rules, from, past, id, over, 0, make('<dI2d', last, math.max(grown, level), setter),
              shadow, '')
  ends = math.max(ends, over)
  write(KEYS[1], make('<dddBI2', now, ends, overflow, repeats, reservations) ..
                 sub(raw, at, rules_at - 1) .. rules, ends)
end
return {now}
