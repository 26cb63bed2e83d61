-- claim: ARGV is the owner, the limit, the lease, how many may be expired, what the
-- history says of those, and the sources, all if there are none.
local owner, limit, lease, expired, ran_out = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local sources = {}
for i = 6, #ARGV do sources[#sources + 1] = ARGV[i] end
local all = #sources == 0
if all then sources = call('SMEMBERS', P .. 'sources') end

local due = {}
for _, source in ipairs(sources) do
  local any = false
  for kind, most in pairs({ ready = limit, leased = math.min(limit, expired) }) do
    local set = P .. kind .. ':' .. source
    local found = call('ZRANGEBYSCORE', set, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #found, 2 do due[#due + 1] = { n = found[i], from = tonumber(found[i + 1]), expired = kind == 'leased' } end
    any = any or call('EXISTS', set) == 1
  end
  if all and not any then call('SREM', P .. 'sources', source) end
end
table.sort(due, function(a, b)
  if a.from ~= b.from then return a.from < b.from end
  return a.n < b.n
end)

local out = { '' }
for _, d in ipairs(due) do
  if #out > limit then break end
  if not d.expired or expired > 0 then
    local r = load(d.n)
    if d.expired then
      expired = expired - 1
      failed(r, ran_out)
    end
    call('HSET', P .. 'e:' .. whole(r.n), 'owner', owner, 'began', whole(now), 'attempts', whole(r.attempts + 1), 'fence', whole(r.fence + 1))
    become(r, 'leased', now + lease)
    out[#out + 1] = shown(r.n)
  end
end

-- When something will be due, as far as is known.
local next = now + 3600 * 1000000
for _, source in ipairs(sources) do
  for _, kind in ipairs({ 'ready', 'leased' }) do
    local later = call('ZRANGEBYSCORE', P .. kind .. ':' .. source, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if later[2] then next = math.min(next, tonumber(later[2])) end
  end
end
out[1] = whole(next - now)
return out
