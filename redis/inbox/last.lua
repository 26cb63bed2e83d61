-- last: ARGV is a source and an Order.
local found = call('ZREVRANGE', P .. 'done:' .. both(ARGV[1], ARGV[2]), 0, 0)[1]
if not found then return {} end
return { shown(tonumber(string.sub(found, -16))) }
