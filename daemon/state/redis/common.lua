-- What the scripts have in common. Each of them is this text and its own.
--
-- A subject is one string (KEYS), read and written whole. As struct.unpack has it:
--   d when it was written, d when it ends, d until when the sorted set beside it matters, B wrong
--     passwords, I2 reservations;
--   each wrong password: d its name, d when it was met;
--   each reservation: d the rule's id, d token, d end, I2 holders;
--   each rule: d its id, d when nothing of it matters any more, B sampling level, B locks (1: in
--     force, 2: of observe mode), I2 cells;
--     each lock: d end, I2 level, d the attempt that set it;
--     each cell: d time, I4 events, I4 tag, d the attempt (of a distinct count: the member).
-- More wrong passwords than fit are in a sorted set, and so are the attempts of the last minute
-- that were counted in windows whose cells do not tell them apart; all of a subject's keys are in
-- one slot. Times are milliseconds by this server's clock. Everything ends by itself.
--
-- What it costs a server are calls, and what is made anew at each run and then collected: tables,
-- functions, and strings, of which Lua looks at every byte. That is why names are numbers, as far as
-- a double can tell them apart, and why little is taken apart that stays as it is.

local GROWTH_MEMORY = 24 * 3600 * 1000
local REPEAT_FOR = 3600 * 1000
local REPEAT, RESERVATION, RULE, LOCK, CELL = 16, 26, 20, 18, 24
-- What follows where a rule's limit is reached, and what it counts.
local LOCKS, REFUSES, DELAYS = 1, 2, 3
local ATTEMPTS, FAILURES, DISTINCT = 1, 2, 3

local take, make, sub = struct.unpack, struct.pack, string.sub

-- Tests give the time; nobody else has a clock that all hosts share.
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function write(key, raw, ends)
  redis.call('SET', key, raw, 'PX', math.max(1, math.ceil(ends - now)))
end

local function read(names)
  local found = redis.call('MGET', unpack(names))
  for h = 1, #names do
    local raw = found[h]
    if raw and take('<d', raw) > now then
      -- A clock that went back behind the last writing takes everything along: what was a minute
      -- old is that again, and nothing lasts longer than its rule says from then on.
      local written, ends, overflow, repeats, reservations, at = take('<dddBI2', raw)
      local back = written - now
      local parts = {make('<dddBI2', now, ends - back, overflow - back, repeats, reservations)}
      local function turn(to, size, place)
        for item = at, to - 1, size do
          local p = #parts
          parts[p + 1] = sub(raw, item, item + place - 1)
          parts[p + 2] = make('<d', take('<d', raw, item + place) - back)
          parts[p + 3] = sub(raw, item + place + 8, item + size - 1)
        end
        at = to
      end
      turn(at + repeats * 16, 16, 8)
      turn(at + reservations * 26, 26, 16)
      while at <= #raw do
        local _, _, _, locks, cells, body = take('<ddBBI2', raw, at)
        turn(body, 20, 8)
        turn(body + (locks == 0 and 0 or locks == 3 and 36 or 18), 18, 0)
        turn(at + cells * 24, 24, 0)
      end
      found[h] = table.concat(parts)
      write(names[h], found[h], ends - back)
    end
  end
  return found
end

-- A rule in `raw`, of which rules begin at `at`: where it begins, its locks, its cells, and what
-- is behind it, then the other fields. Nothing where it is not, or is over.
local function find(raw, at, id)
  while at <= #raw do
    local name, ends, level, locks, cells, body = take('<ddBBI2', raw, at)
    local first = locks == 0 and body or locks == 3 and body + 36 or body + 18
    local past = first + cells * 24
    if name == id then return at, body, first, past, ends, level, locks end
    at = past
  end
end

-- Whether the wrong password was met within the last hour, and where it stands in `raw`, if it is
-- one of the `many` that begin at `at`.
local function is_repeat(raw, at, many, overflow, memory, password)
  for from = at, at + many * 16 - 1, 16 do
    local name, seen = take('<dd', raw, from)
    if name == password then return seen <= now and now - seen < 3600000, from end
  end
  if overflow <= now then return false end
  local seen = tonumber(redis.call('ZSCORE', memory, make('<d', password)) or nil)
  return seen ~= nil and seen <= now and now - seen < 3600000
end
