-- What the scripts have in common. Each of them is this text and its own.
--
-- A subject is a hash (KEYS[2i-1]) and the memory of its wrong passwords, a sorted set (KEYS[2i]),
-- both in one slot. The hash has for each rule, by the rule's id, the fields
--   w  the window: its sampling level, then time, events, tag and id of each cell
--   p  the reservations: token, end and holders of each
--   l  the last lock: end, level; also growth's memory of an ended one (s: of observe mode)
-- Times are milliseconds by this server's clock. Everything ends by itself.

local GROWTH_MEMORY = 24 * 3600 * 1000
local REPEAT_FOR = 3600 * 1000
local EXACT_MEMBERS = 512
local MAX_CELLS = 256
local MAX_REPEATS = 4096

local at = 0
local function word()
  at = at + 1
  return ARGV[at]
end
local function number()
  return tonumber(word())
end

-- Tests give the time; nobody else has a clock that all hosts share.
local now = number()
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The cells of a window that are still in it. A clock that went back makes events happen now.
local function read_window(raw, rule)
  local cells = {0}
  if not raw then return cells end
  local stored = cmsgpack.unpack(raw)
  cells[1] = stored[1]
  for i = 2, #stored, 4 do
    local time = math.min(stored[i], now)
    if time + rule.window + rule.merge > now then
      local n = #cells
      cells[n + 1], cells[n + 2], cells[n + 3], cells[n + 4] =
        time, stored[i + 1], stored[i + 2], stored[i + 3]
    end
  end
  if #cells == 1 then cells[1] = 0 end
  return cells
end

-- Events, or different members: above EXACT_MEMBERS an estimate from those that are sampled.
local function count(cells, rule)
  local sum = 0
  for i = 3, #cells, 4 do sum = sum + cells[i] end
  if rule.kind == 'd' then sum = sum * 2 ^ cells[1] end
  return sum
end

local function sampled(cells, member)
  return tonumber(member) % 2 ^ cells[1] == 0
end

-- Whether a distinct count has the member, or would not sample it.
local function knows(cells, member)
  if not sampled(cells, member) then return true end
  for i = 5, #cells, 4 do
    if cells[i] == member then return true end
  end
  return false
end

-- Milliseconds until the count is below the limit, if nothing is added.
local function below_limit_in(cells, rule)
  local left, total = {}, 0
  local weight = rule.kind == 'd' and 2 ^ cells[1] or 1
  for i = 2, #cells, 4 do
    left[#left + 1] = {cells[i] + rule.window + rule.merge - now, cells[i + 1] * weight}
    total = total + cells[i + 1] * weight
  end
  table.sort(left, function(a, b) return a[1] < b[1] end)
  for _, cell in ipairs(left) do
    total = total - cell[2]
    if total < rule.limit then return cell[1] end
  end
  return 0
end

-- Reservations that have not been forgotten.
local function read_pending(raw)
  local pending = {}
  if not raw then return pending end
  local stored = cmsgpack.unpack(raw)
  for i = 1, #stored, 3 do
    if stored[i + 1] > now then
      local n = #pending
      pending[n + 1], pending[n + 2], pending[n + 3] = stored[i], stored[i + 1], stored[i + 2]
    end
  end
  return pending
end

local function find_token(pending, token)
  for i = 1, #pending, 3 do
    if pending[i] == token then return i end
  end
end

-- end, level; 0, 0 if there is none.
local function read_lock(raw)
  if not raw then return 0, 0 end
  local ends, level = string.match(raw, '^(%d+) (%d+)$')
  return tonumber(ends), tonumber(level)
end

local function is_repeat(memory, password)
  local seen = redis.call('ZSCORE', memory, password)
  return seen and now - tonumber(seen) < REPEAT_FOR
end

local function keep_for(key, milliseconds)
  if redis.call('PTTL', key) < milliseconds then
    redis.call('PEXPIRE', key, string.format('%.0f', milliseconds))
  end
end
