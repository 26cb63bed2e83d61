-- hold: ARGV is a cursor's name, the owner and how long.
local name, owner = P .. 'cursor:' .. ARGV[1], ARGV[2]
local c = call('HMGET', name, 'owner', 'till', 'fence', 'value')
local fence, free = tonumber(c[3]) or 0, (tonumber(c[2]) or 0) <= now
if c[1] ~= owner and not free then return {} end
if c[1] ~= owner or free then fence = fence + 1 end
call('HSET', name, 'owner', owner, 'till', whole(now + tonumber(ARGV[3])), 'fence', whole(fence))
return { whole(fence), c[4] or '' }
