-- find: what a query names, one step of it. ARGV is what is done with it ("list",
-- "replay" or "discard") and the text for that, the number to go on after, how
-- many may be found and how many looked at, the six texts and times of the query,
-- how many states it names, these, and the records' numbers.
--
-- It answers with the number to go on after, empty at the end, and what was found.
local act, text, after, most, looks = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local source, key, kind, order, from, to = ARGV[6], ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local states, numbers, listed = {}, {}, {}
for i = 13, 12 + ARGV[12] do
  states[ARGV[i]] = true
  listed[#listed + 1] = ARGV[i]
end
for i = 13 + ARGV[12], #ARGV do numbers[#numbers + 1] = tonumber(ARGV[i]) end

-- candidates are the next records to look at, in order, and whether there may be
-- more of them.
local function candidates()
  if #numbers > 0 then return numbers, false end
  local found, sets = {}, {}
  if source ~= '' and key ~= '' then
    local name = both(source, key)
    found = call('HVALS', P .. 'others:' .. name)
    found[#found + 1] = call('HGET', P .. 'keys', name) or nil
    for i = 1, #found do found[i] = tonumber(found[i]) end
    table.sort(found)
    return found, false
  end
  if #listed > 0 and not states.done then
    for i, s in ipairs(listed) do sets[i] = 'state:' .. s end
  else
    sets[1] = 'all'
  end
  local more = false
  for _, set in ipairs(sets) do
    local some = call('ZRANGEBYSCORE', P .. set, '(' .. whole(after), '+inf', 'LIMIT', 0, looks)
    more = more or #some == looks
    for _, n in ipairs(some) do found[#found + 1] = tonumber(n) end
  end
  table.sort(found)
  for i = looks + 1, #found do
    found[i] = nil
    more = true
  end
  return found, more
end

local function is(want, got) return want == '' or want == got end

local function named(n)
  if n <= after then return nil end
  local v = call('HMGET', P .. 'e:' .. whole(n), 'source', 'key', 'type', 'order', 'state', 'received')
  local received = tonumber(v[6])
  return v[1] and is(source, v[1]) and is(key, v[2]) and is(kind, v[3]) and is(order, v[4]) and (#listed == 0 or states[v[5]]) and
    (not from or received >= from) and (not to or received < to) and v[5]
end

local actions = {}

function actions.list(n) return shown(n) end

function actions.replay(n, state)
  if state == 'ready' or state == 'leased' or call('HEXISTS', P .. 'e:' .. whole(n), 'body') == 0 then return nil end
  local r = load(n)
  call('HSET', P .. 'e:' .. whole(n), 'attempts', '0', 'replay', text)
  become(r, 'ready', now)
  return 1
end

function actions.discard(n, state)
  if state == 'leased' or state == 'done' or state == 'discarded' then return nil end
  local r = load(n)
  remember(r, { number = '0', owner = '', began = whole(now), ended = whole(now), error = text, replay = r.replay })
  become(r, 'discarded')
  return 1
end

-- Bodies of so many bytes are enough for one answer.
local room = 8 * 1024 * 1024
local found, more = candidates()
local out = { '' }
local seen
for i, n in ipairs(found) do
  local state = named(n)
  local result = state and actions[act](n, state)
  if result then out[#out + 1] = result end
  if result and act == 'list' then room = room - #(result[9] or '') end
  seen = n
  if #out > most or room < 0 then
    more = more or i < #found
    break
  end
end
if more then out[1] = whole(seen) end
return out
