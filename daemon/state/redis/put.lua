-- The rules with this one in place of what is from `from` to before `past`; without `from`, in place
-- of all that are over.
local function put(rules, from, past, id, over, level, lock, shadow, cells)
  local rule = ''
  local locks = (lock ~= '' and 1 or 0) + (shadow ~= '' and 2 or 0)
  if locks > 0 or cells ~= '' then
    rule = make('<ddBBI2', id, over, level, locks, #cells / 24) .. lock .. shadow .. cells
  end
  if from then return sub(rules, 1, from - 1) .. rule .. sub(rules, past) end
  local at, kept = 1, rule
  while at <= #rules do
    local _, ends, _, many, others, body = take('<ddBBI2', rules, at)
    past = body + (many == 0 and 0 or many == 3 and 36 or 18) + others * 24
    if ends > now then kept = kept .. sub(rules, at, past - 1) end
    at = past
  end
  return kept
end
