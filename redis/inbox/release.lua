-- release: ARGV is a cursor's name and its fence.
local name = P .. 'cursor:' .. ARGV[1]
if call('HGET', name, 'fence') == ARGV[2] then call('HSET', name, 'owner', '', 'till', '0') end
return {}
