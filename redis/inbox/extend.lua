-- extend: ARGV is how long, and then a number and a fence for each lease.
local held = {}
for i = 2, #ARGV, 2 do
  local r = load(ARGV[i])
  if r and r.state == 'leased' and r.fence == tonumber(ARGV[i + 1]) and r.due > now then
    r.due = now + tonumber(ARGV[1])
    call('HSET', P .. 'e:' .. whole(r.n), 'due', whole(r.due))
    place(r)
    held[#held + 1] = 1
  else
    held[#held + 1] = 0
  end
end
return held
