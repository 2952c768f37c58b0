-- Remove one record. KEYS: the kind's hash, the order of its keys. ARGV: key. Answers how many that were.
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
