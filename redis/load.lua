-- A key's records, all in microseconds:
--   seen      the clock when they were written
--   at        the last place given out, maybe one in the future
--   credit    the time saved up there, of which a place costs one interval
--   interval  what credit is counted in
--   closed    the end of the closing
--   learned   "interval:until;" for each learned rate, the longest interval first
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored = redis.call('HMGET', key, 'seen', 'at', 'credit', 'interval', 'closed', 'learned')

-- Where the clock went back, no time has passed: all moments move with it.
local back = math.max(0, (tonumber(stored[1]) or now) - now)
local at = tonumber(stored[2])
local credit = tonumber(stored[3]) or 0
local counted = tonumber(stored[4]) or 0
local closed = (tonumber(stored[5]) or 0) - back
if at then at = at - back end
local learned = {}
for interval, till in string.gmatch(stored[6] or '', '(%d+):(%d+);') do
  learned[#learned + 1] = { tonumber(interval), tonumber(till) - back }
end

-- Lua would write large numbers in 14 digits, which is one in 100 microseconds.
local function whole(n) return string.format('%.0f', n) end

local hour = 3600 * 1000000

-- save writes the records, to be kept for grace longer than to the last
-- moment they name, or for longer where that was promised before. A month bounds
-- what a very slow rate would keep for years.
local function save(grace)
  local matters = math.max(closed - now, (at or now) - now, 0) + grace
  local list = ''
  for _, l in ipairs(learned) do
    list = list .. whole(l[1]) .. ':' .. whole(l[2]) .. ';'
    matters = math.max(matters, l[2] - now)
  end
  redis.call('HSET', key, 'seen', whole(now), 'closed', whole(math.max(0, closed)), 'learned', list)
  if at then
    redis.call('HSET', key, 'at', whole(at), 'credit', whole(credit), 'interval', whole(counted))
  end
  local keep = math.min(math.ceil(matters / 1000) + 1000, 30 * 86400 * 1000)
  if keep > redis.call('PTTL', key) then redis.call('PEXPIRE', key, whole(keep)) end
end
