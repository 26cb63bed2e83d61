-- insert: ARGV is a cursor's name, its fence and its next value, the name being
-- empty where there is none, and then ten values for each event.
local cursor = ARGV[1]
if cursor ~= '' then
  if call('HGET', P .. 'cursor:' .. cursor, 'fence') ~= ARGV[2] then return { 'lost' } end
  call('HSET', P .. 'cursor:' .. cursor, 'value', ARGV[3])
end

local function add(e, state)
  local n = call('INCR', P .. 'seq')
  if e.at == '' then e.at = moment() end
  call('HSET', P .. 'e:' .. whole(n), 'source', e.source, 'key', e.key, 'type', e.type, 'order', e.order, 'via', e.via, 'at', e.at,
    'received', whole(now), 'header', e.header, 'body', e.body, 'digest', e.digest, 'attempts', '0', 'fence', '0', 'replay', '')
  call('ZADD', P .. 'all', whole(n), member(n))
  become({ n = n, source = e.source, order = e.order, at = e.at, received = now }, state, now + e.hold)
  return n
end

local function insert(e)
  local name = both(e.source, e.key)
  local n = call('HGET', P .. 'keys', name)
  if not n then
    n = add(e, 'ready')
    call('HSET', P .. 'keys', name, whole(n))
    return 'stored', n, e.via
  end
  local was = call('HMGET', P .. 'e:' .. n, 'via', 'state', 'attempts', 'replay', 'digest')
  if was[1] == 'poll' and e.via == 'webhook' and was[2] == 'ready' and was[3] == '0' and was[4] == '' then
    call('HSET', P .. 'e:' .. n, 'via', e.via, 'type', e.type, 'header', e.header, 'body', e.body, 'digest', e.digest, 'due', whole(now))
    place(load(n))
    return 'replaced', n, e.via
  end
  if was[1] ~= e.via or was[5] == e.digest then return 'duplicate', n, was[1] end
  local other = call('HGET', P .. 'others:' .. name, e.digest)
  if other then return 'duplicate', other, call('HGET', P .. 'e:' .. other, 'via') end
  n = add(e, 'conflict')
  call('HSET', P .. 'others:' .. name, e.digest, whole(n))
  return 'conflict', n, e.via
end

local out = {}
for i = 4, #ARGV, 10 do
  local status, n, via = insert({ source = ARGV[i], key = ARGV[i + 1], type = ARGV[i + 2], order = ARGV[i + 3], via = ARGV[i + 4], at = ARGV[i + 5],
    hold = tonumber(ARGV[i + 6]), header = ARGV[i + 7], body = ARGV[i + 8], digest = ARGV[i + 9] })
  out[#out + 1] = status
  out[#out + 1] = whole(n)
  out[#out + 1] = via
end
return out
