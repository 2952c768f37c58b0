-- Remove the first records up to a key. KEYS: the kind's hash, the order of its keys. ARGV: the bound, how many at most.
-- Answers how many that were.
local names = redis.call('ZRANGEBYLEX', KEYS[2], '-', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return #names
