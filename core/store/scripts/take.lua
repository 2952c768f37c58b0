-- Take every window's cost, or none of them.
-- KEYS: one list a window. ARGV: now, then limit, seconds and cost of each window.
-- Answers doubles: granted, then remaining, reset_after and retry_after of each window.
-- A list holds what was granted, oldest first, as three doubles: when it stops counting, and the running total
-- of the list without and with it.
local ENTRY = '<ddd'
local now = tonumber(ARGV[1])

local function entry(key, index)
  local packed = redis.call('LINDEX', key, index)
  if packed then return struct.unpack(ENTRY, packed) end
end

local function trim(key, seconds)
  local last = entry(key, -1)
  if not last then return end
  -- The second case is a clock that was set back: the list would block for as long as that was.
  if last <= now or last > now + 2 * seconds then
    redis.call('DEL', key)
    return
  end
  while entry(key, 0) <= now do redis.call('LPOP', key) end
end

local function wait(window)
  local missing = window.used + window.cost - window.limit
  if missing <= 0 then return 0 end
  if window.cost > window.limit then return window.seconds end
  local low, high = 0, redis.call('LLEN', window.key) - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local _, _, after = entry(window.key, middle)
    if after >= window.first + missing then high = middle else low = middle + 1 end
  end
  return entry(window.key, low) - now
end

local windows, granted = {}, true
for i, key in ipairs(KEYS) do
  local window = {
    key = key, limit = tonumber(ARGV[3 * i - 1]), seconds = tonumber(ARGV[3 * i]), cost = tonumber(ARGV[3 * i + 1]),
  }
  trim(key, window.seconds)
  local _, first = entry(key, 0)
  local last, _, total = entry(key, -1)
  window.first, window.last, window.total = first or 0, last or now, total or 0
  window.used = window.total - window.first
  if window.used + window.cost > window.limit then granted = false end
  windows[i] = window
end

local answer = { granted and 1 or 0 }
for _, window in ipairs(windows) do
  if granted and window.cost > 0 then
    -- Workers' clocks differ a little, so a time may be older than the one ahead of it.
    window.last = math.max(window.last, now + window.seconds)
    redis.call('RPUSH', window.key, struct.pack(ENTRY, window.last, window.total, window.total + window.cost))
    redis.call('PEXPIRE', window.key, math.ceil(window.seconds * 1000) + 1000)
    window.used = window.used + window.cost
  end
  answer[#answer + 1] = math.max(0, window.limit - window.used)
  answer[#answer + 1] = window.last - now
  answer[#answer + 1] = granted and 0 or wait(window)
end
return struct.pack('<' .. string.rep('d', #answer), unpack(answer))
