-- Take every window's cost, or none of them.
-- KEYS: one a window. ARGV: now, until when by redis's own clock somebody waits for the answer (0: for ever), then kind,
-- limit, seconds and cost of each window.
-- Answers doubles: the time it has, and if that is not too late granted, then remaining, reset_after and retry_after of
-- each window.
local clock = redis.call('TIME')
local here = clock[1] + clock[2] / 1000000
local now, deadline = tonumber(ARGV[1]), tonumber(ARGV[2])
if deadline > 0 and here > deadline then return struct.pack('<d', here) end
local windows, granted = {}, true
for i, key in ipairs(KEYS) do
  local window = {
    key = key, kind = kinds[ARGV[4 * i - 1]], limit = tonumber(ARGV[4 * i]), seconds = tonumber(ARGV[4 * i + 1]),
    cost = tonumber(ARGV[4 * i + 2]),
  }
  window.kind.load(window, now)
  -- A cost of nothing only reads.
  if window.cost > 0 and window.used + window.cost > window.limit then granted = false end
  windows[i] = window
end

local answer = { here, granted and 1 or 0 }
for _, window in ipairs(windows) do
  if granted and window.cost > 0 then window.kind.add(window, now) end
  local spent = window.used + (granted and window.cost or 0)
  -- A fixed window of which more was used than there was tells by how much.
  local floor = window.kind == kinds.fixed and -math.huge or 0
  answer[#answer + 1] = math.max(floor, window.limit - spent)
  answer[#answer + 1], answer[#answer + 2] = window.kind.read(window, now, granted)
end
return struct.pack('<' .. string.rep('d', #answer), unpack(answer))
