-- stats answers with the counts and the age of the oldest record that is pending.
local out = {}
for i, state in ipairs({ 'ready', 'leased', 'dead', 'parked', 'conflict' }) do out[i] = call('ZCARD', P .. 'state:' .. state) end
local oldest = now
for _, state in ipairs({ 'ready', 'leased' }) do
  local m = call('ZRANGE', P .. 'state:' .. state, 0, 0)[1]
  if m then oldest = math.min(oldest, load(m).received) end
end
out[6] = whole(now - oldest)
return out
