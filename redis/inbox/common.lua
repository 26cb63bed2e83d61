-- What an inbox keeps, each name behind KEYS[1], which holds the slot's tag. Times
-- are microseconds of this server's clock; a number of a record has 16 digits in
-- members, so that members of one score are in the records' order. A NUL, which no
-- name may hold, parts two names.
--
--   seq                 the last record's number
--   keys                source NUL key -> the record that counts
--   others:source:key   digest -> a record in conflict with it
--   e:n  h:n            a record, and its attempts that failed
--   all                 the records
--   state:s             those in a state, which is not done
--   ready:s  leased:s   what may be claimed of a source, by when
--   sources             those that have either
--   lane:source:order   an Order's events that are ready, leased or parked
--   busy:source:order   those that are leased, by when the lease runs out
--   done:source:order   those that are done
--   old  bodies         what is done, given up or in conflict, and what of it has a body
--   cursor:name         a feed's cursor
--
-- Of an Order only the first event is in ready or leased, and no earlier than the
-- lease of another one of that Order runs out: what is due is found without a look
-- at what waits behind it.
local P = KEYS[1]
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Lua would write large numbers in 14 digits.
local function whole(n) return string.format('%.0f', n) end
local function member(n) return string.format('%016.0f', tonumber(n)) end
local function both(source, name) return source .. '\0' .. name end

-- moment is a time as events have it: text that sorts as the times do.
local function moment() return '1' .. string.format('%019.0f', clock[1]) .. string.format('%09.0f', clock[2] * 1000) end

local fields = { 'source', 'key', 'type', 'order', 'via', 'at', 'received', 'header', 'body', 'state', 'due', 'attempts', 'fence', 'replay' }

-- load returns what the rest needs of a record, nil if there is none.
local function load(n)
  local v = call('HMGET', P .. 'e:' .. whole(n), 'source', 'order', 'at', 'state', 'due', 'attempts', 'fence', 'replay', 'received')
  if not v[1] then return nil end
  return { n = tonumber(n), source = v[1], order = v[2], at = v[3], state = v[4], due = tonumber(v[5]), attempts = tonumber(v[6]),
    fence = tonumber(v[7]), replay = v[8], received = tonumber(v[9]) }
end

-- shown is a record for the caller, with its history.
local function shown(n)
  local v = call('HMGET', P .. 'e:' .. whole(n), unpack(fields))
  v[#fields + 1] = whole(n)
  v[#fields + 2] = call('LRANGE', P .. 'h:' .. whole(n), 0, -1)
  return v
end

-- offer has a record that is ready or leased be claimed from a time on, and one of
-- another kind not at all.
local function offer(source, n, kind, from)
  for _, k in ipairs({ 'ready', 'leased' }) do
    if k == kind and from then
      call('ZADD', P .. k .. ':' .. source, whole(from), member(n))
      call('SADD', P .. 'sources', source)
    else
      call('ZREM', P .. k .. ':' .. source, member(n))
    end
  end
end

-- first is the number of the first event of a lane.
local function first(lane)
  local head = call('ZRANGE', P .. 'lane:' .. lane, 0, 0)[1]
  return head and tonumber(string.sub(head, -16))
end

-- place puts a record where its state and its time belong.
local function place(r)
  if r.order == '' then return offer(r.source, r.n, r.state, r.due) end
  local lane, name = both(r.source, r.order), r.at .. member(r.n)
  local before = first(lane)
  if r.state == 'ready' or r.state == 'leased' or r.state == 'parked' then
    call('ZADD', P .. 'lane:' .. lane, 0, name)
  else
    call('ZREM', P .. 'lane:' .. lane, name)
  end
  if r.state == 'leased' then
    call('ZADD', P .. 'busy:' .. lane, whole(r.due), member(r.n))
  else
    call('ZREM', P .. 'busy:' .. lane, member(r.n))
  end
  local after = first(lane)
  if before and before ~= after then offer(r.source, before) end
  if not after then return end
  local head = after == r.n and r or load(after)
  -- Not while another one is leased; its own lease is what it is due by.
  local busy = call('ZREVRANGE', P .. 'busy:' .. lane, 0, 0, 'WITHSCORES')
  offer(r.source, after, head.state, math.max(head.due, tonumber(busy[2]) or 0))
end

-- final tells the states of what is purged.
local function final(state) return state == 'done' or state == 'discarded' or state == 'conflict' end

-- become moves a record to a state, due at a time if it waits.
local function become(r, state, due)
  local n = member(r.n)
  if r.state then call('ZREM', P .. 'state:' .. r.state, n) end
  local ended = final(state)
  if state ~= 'done' then call('ZADD', P .. 'state:' .. state, whole(r.n), n) end
  if ended then
    call('ZADD', P .. 'old', whole(r.received), n)
    if call('HEXISTS', P .. 'e:' .. whole(r.n), 'body') == 1 then call('ZADD', P .. 'bodies', whole(r.received), n) end
  elseif final(r.state) then
    call('ZREM', P .. 'old', n)
    call('ZREM', P .. 'bodies', n)
  end
  if r.order ~= '' and state == 'done' then
    call('ZADD', P .. 'done:' .. both(r.source, r.order), 0, r.at .. n)
  elseif r.order ~= '' and r.state == 'done' then
    call('ZREM', P .. 'done:' .. both(r.source, r.order), r.at .. n)
  end
  r.state, r.due = state, due or r.due
  call('HSET', P .. 'e:' .. whole(r.n), 'state', state, 'due', whole(r.due))
  place(r)
end

-- failed adds to a record's history an attempt that failed.
local function remember(r, attempt)
  call('RPUSH', P .. 'h:' .. whole(r.n), cjson.encode(attempt))
  call('LTRIM', P .. 'h:' .. whole(r.n), -32, -1)
end

local function failed(r, why)
  local v = call('HMGET', P .. 'e:' .. whole(r.n), 'owner', 'began')
  remember(r, { number = whole(r.attempts), owner = v[1] or '', began = v[2] or '', ended = whole(now), error = why, replay = r.replay })
end

