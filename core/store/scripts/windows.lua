-- What was spent of a window: one table of functions for each kind, ahead of the scripts that use them.
-- Each `load` forgets what is over and returns the state with `used`; `add` and `correct` write; `read` answers
-- remaining, reset_after and retry_after. A window has key, limit, seconds, cost.
local CROWDED, TICKS = 32, 60
-- What was taken longer ago than a window remembers was taken before its server lost what it had, and a correction of that
-- would be a gift. Seconds by which workers' clocks may differ, where a window does not know since when it remembers.
local SKEW = 5
local kinds = {}

local function expire(window, seconds)
  redis.call('PEXPIRE', window.key, math.max(1, math.ceil(seconds * 1000)) + 1000)
end

-- sliding: a list of what was granted, oldest first, as three doubles: when it stops counting, and the running total of
-- the list without and with it. From CROWDED entries on, those of one tick are put together.
local ENTRY = '<ddd'
local sliding = {}
kinds.sliding = sliding

local function entry(key, index)
  local packed = redis.call('LINDEX', key, index)
  if packed then return struct.unpack(ENTRY, packed) end
end

function sliding.load(window, now)
  local key = window.key
  local last = entry(key, -1)
  if last then
    -- The second case is a clock that was set back: the list would block for as long as that was.
    if last <= now or last > now + 2 * window.seconds then
      redis.call('DEL', key)
    else
      while entry(key, 0) <= now do redis.call('LPOP', key) end
    end
  end
  local _, first = entry(key, 0)
  local total
  window.last, window.before, total = entry(key, -1)
  window.first, window.total = first or 0, total or 0
  window.used = window.total - window.first
end

function sliding.add(window, now)
  -- Workers' clocks differ a little, so a time may be older than the one ahead of it.
  local expires, tick = now + window.seconds, window.seconds / TICKS
  local crowded = window.last and redis.call('LLEN', window.key) >= CROWDED
  if crowded then expires = math.ceil(expires / tick) * tick end
  expires = math.max(window.last or 0, expires)
  if crowded and expires == window.last then
    redis.call('LSET', window.key, -1, struct.pack(ENTRY, expires, window.before, window.total + window.cost))
  else
    redis.call('RPUSH', window.key, struct.pack(ENTRY, expires, window.total, window.total + window.cost))
  end
  window.last = expires
  expire(window, window.seconds * (1 + 1 / TICKS))
end

local function search(key, low, fits)
  local high = redis.call('LLEN', key) - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if fits(entry(key, middle)) then high = middle else low = middle + 1 end
  end
  return low
end

function sliding.correct(window, at, now)
  if not window.last or at + window.seconds <= now then return end
  local place = search(window.key, 0, function(expires) return expires >= at + window.seconds end)
  if entry(window.key, place) > at + window.seconds * (1 + 1 / TICKS) + SKEW then return end
  for index = place, redis.call('LLEN', window.key) - 1 do
    local expires, before, after = entry(window.key, index)
    if index > place then before = before + window.cost end
    redis.call('LSET', window.key, index, struct.pack(ENTRY, expires, before, after + window.cost))
  end
end

function sliding.read(window, now, granted)
  local wait, missing = 0, window.used + window.cost - window.limit
  if not granted and missing > 0 then
    if window.cost > window.limit then
      wait = window.seconds
    else
      local wanted = window.first + missing
      wait = entry(window.key, search(window.key, 0, function(_, _, after) return after >= wanted end)) - now
    end
  end
  return (window.last or now) - now, wait
end

-- The other two kinds are doubles: what counts, and a moment. Workers' clocks differ a little: what one of them
-- has seen of the time holds for those behind it, or each step back would be granted anew. More than a whole window ahead
-- is a clock that was set back.
local function pair(window)
  local packed = redis.call('GET', window.key)
  window.there = packed
  if not packed then return 0, 0 end
  local used, moment = struct.unpack('<dd', packed)
  return used, moment, #packed > 16 and struct.unpack('<d', packed, 17) or 0
end

local function counted(kind, store, counts)
  function kind.add(window, now)
    window.used = window.used + window.cost
    store(window, now)
    window.used = window.used - window.cost
  end

  function kind.correct(window, at, now)
    if not window.there or not counts(window, at) then return end
    window.used = math.max(0, window.used + window.cost)
    store(window, now)
  end
end

-- bucket: what is missing in it, and since when.
local bucket = {}
kinds.bucket = bucket

function bucket.load(window, now)
  local used, at = pair(window)
  window.rate = window.limit / window.seconds
  if at > now + window.seconds then used, at = 0, now end
  window.used = math.max(0, used - math.max(0, now - at) * window.rate)
  window.at = math.max(at, now)
end

function bucket.read(window, now, granted)
  local used = window.used + (granted and window.cost or 0)
  local missing = granted and 0 or math.max(0, used + window.cost - window.limit)
  local wait = missing > 0 and window.at - now + missing / window.rate or 0
  if missing > 0 and window.cost > window.limit then wait = window.seconds end
  return used > 0 and window.at - now + used / window.rate or 0, wait
end

counted(bucket, function(window, now)
  redis.call('SET', window.key, struct.pack('<dd', window.used, window.at))
  expire(window, window.at - now + window.seconds * math.max(1, window.used / window.limit))
end, function() return true end)

-- fixed: what was granted, when its stretch of the clock ends, and since when it is remembered.
local fixed = {}
kinds.fixed = fixed

function fixed.load(window, now)
  local used, ends, born = pair(window)
  window.ends, window.used, window.born = now - now % window.seconds + window.seconds, 0, now
  if ends >= window.ends and ends <= window.ends + window.seconds then
    window.ends, window.used, window.born = ends, used, born
  end
end

function fixed.read(window, now, granted)
  local left = window.ends - now
  return left, (not granted and window.used + window.cost > window.limit) and left or 0
end

counted(fixed, function(window, now)
  -- By the clock that is furthest behind, as what it has taken is corrected by that.
  redis.call('SET', window.key, struct.pack('<ddd', window.used, window.ends, math.min(window.born, now)))
  expire(window, window.ends - now)
end, function(window, at) return at >= window.ends - window.seconds and at >= window.born end)
