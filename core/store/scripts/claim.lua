-- Hold or renew one of a few places. KEYS: a sorted set of owners by deadline. ARGV: owner, limit, seconds, now.
-- Answers 1 when held. A deadline far ahead is from before a machine's clock was set back.
local seconds, now = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.6f', now + 2 * seconds), '+inf')
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + seconds), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(seconds * 2000))
return 1
