
-- take: the same steps as the root's schedule.take, in memorystore.go.
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local claims, max_wait, learned_for = ARGV[3] == '1', tonumber(ARGV[4]), tonumber(ARGV[5])
local changed = back > 0

if claims then
  local kept = {}
  for _, l in ipairs(learned) do
    if l[2] > now and l[1] > interval then kept[#kept + 1] = l end
  end
  if interval > 0 then
    if #kept == 16 then
      kept[16][2] = now + learned_for
    else
      kept[#kept + 1] = { interval, now + learned_for }
    end
    changed = true
  end
  learned = kept
  if #kept > 0 then interval = kept[1][1] end
end

if interval == 0 then
  if changed then save(hour) end
  return math.max(0, closed - now)
end
-- What a burst can save up; a century of it, far below 2^53, up to which Lua
-- counts exactly.
local full = interval * math.max(1, math.min(burst, math.floor(876000 * hour / interval)))

local place, left = at, full
if at and counted > 0 then
  left = math.min(full, math.floor(credit * interval / counted))
end
if not place or closed > place then
  if closed > 0 then place, left = closed, interval else place = now end
end
if now > place then
  left = math.min(full, left + now - place)
  place = now
end
if left < interval then
  place = place + interval - left
  left = interval
end
left = left - interval

if place - now <= max_wait then
  at, credit, counted = place, left, interval
  changed = true
end
if changed then save(full) end
return place - now
