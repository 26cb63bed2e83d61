-- purge: ARGV is how long keys and bodies are kept, and how many records may be
-- looked at. It answers with how many bodies and how many records are gone, and
-- whether there may be more.
local keys, bodies, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function old(set, age) return call('ZRANGEBYSCORE', P .. set, '-inf', whole(now - age), 'LIMIT', 0, most) end

local forgotten = old('old', keys)
for _, m in ipairs(forgotten) do
  local n = whole(tonumber(m))
  local v = call('HMGET', P .. 'e:' .. n, 'source', 'key', 'digest', 'order', 'at')
  local name = both(v[1], v[2])
  if call('HGET', P .. 'keys', name) == n then
    call('HDEL', P .. 'keys', name)
  else
    call('HDEL', P .. 'others:' .. name, v[3])
  end
  call('DEL', P .. 'e:' .. n, P .. 'h:' .. n)
  for _, set in ipairs({ 'all', 'old', 'bodies', 'state:conflict', 'state:discarded' }) do call('ZREM', P .. set, m) end
  if v[4] ~= '' then call('ZREM', P .. 'done:' .. both(v[1], v[4]), v[5] .. m) end
end
if #forgotten == most then return { 0, #forgotten, 1 } end

local emptied = old('bodies', bodies)
for _, m in ipairs(emptied) do
  call('HDEL', P .. 'e:' .. whole(tonumber(m)), 'body', 'header')
  call('ZREM', P .. 'bodies', m)
end
return { #emptied, #forgotten, #emptied == most and 1 or 0 }
