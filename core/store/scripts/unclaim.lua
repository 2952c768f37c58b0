-- Give a place back. KEYS: a sorted set of owners by deadline. ARGV: owner.
return redis.call('ZREM', KEYS[1], ARGV[1])
