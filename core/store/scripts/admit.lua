-- Put texts on a room's list. KEYS: their names by last use, their names by end, their sizes with the sum under ''.
-- ARGV: now, seconds, how many bytes there are, then name and size of each. Answers the names of those that have to go.
local SWEPT, MOST = 50, 1000
local order, ends, sizes = KEYS[1], KEYS[2], KEYS[3]
local now, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])

local function forget(name)
  local size = redis.call('HGET', sizes, name)
  if not size then return end
  redis.call('HDEL', sizes, name)
  redis.call('ZREM', order, name)
  redis.call('ZREM', ends, name)
  redis.call('HINCRBY', sizes, '', -size)
end

-- Those whose time is over are gone by themselves.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, SWEPT)) do forget(name) end

for i = 4, #ARGV, 2 do
  forget(ARGV[i])
  redis.call('HSET', sizes, ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', sizes, '', ARGV[i + 1])
  redis.call('ZADD', order, now, ARGV[i])
  redis.call('ZADD', ends, string.format('%.3f', now + seconds), ARGV[i])
end

local gone = {}
while #gone < MOST and tonumber(redis.call('HGET', sizes, '')) > tonumber(ARGV[3]) do
  local name = redis.call('ZRANGE', order, 0, 0)[1]
  if not name then break end
  forget(name)
  gone[#gone + 1] = name
end

local lifetime = math.ceil(seconds * 1000) + 1000
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, lifetime) end
end
return gone
