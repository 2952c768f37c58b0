-- Write records. KEYS: the kind's hash, the order of its keys. ARGV: key and value of each.
for i = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], 0, ARGV[i])
end
return #ARGV / 2
