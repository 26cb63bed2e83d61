-- settle: ARGV is, for each lease, its number and fence, the state, how long it
-- waits, the error and whether the attempt counts.
local held = {}
for i = 1, #ARGV, 6 do
  local r = load(ARGV[i])
  if r and r.state == 'leased' and r.fence == tonumber(ARGV[i + 1]) then
    if ARGV[i + 4] ~= '' then failed(r, ARGV[i + 4]) end
    if ARGV[i + 5] == '1' then call('HSET', P .. 'e:' .. whole(r.n), 'attempts', whole(r.attempts - 1)) end
    become(r, ARGV[i + 2], now + tonumber(ARGV[i + 3]))
    held[#held + 1] = 1
  else
    held[#held + 1] = 0
  end
end
return held
