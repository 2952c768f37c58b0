-- Replace a record if it is still what was read. KEYS: the kind's hash, the order of its keys. ARGV: key, new value,
-- then the value read (left out when there was none). Answers 1 when replaced, else what is there now.
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current == (ARGV[3] or false) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  if not current then redis.call('ZADD', KEYS[2], 0, ARGV[1]) end
  return 1
end
return current
