
-- shut: closes for ARGV[1], 0 only asks; it answers how much longer is closed.
local d = tonumber(ARGV[1])
if d > 0 or back > 0 then
  if d > 0 then closed = math.max(closed, now + d) end
  -- An hour longer: whoever asks after the closing finds that nothing is saved
  -- up. For how long that matters only take knows.
  save(hour)
end
return math.max(0, closed - now)
