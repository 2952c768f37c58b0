-- Hold or renew one of a few places. KEYS: a sorted set of owners by deadline, and, if somebody's turn counts, a hash of
-- who stands in line with since and until when. ARGV: owner, limit, seconds, now; then who, since, whether it waits, for
-- how many seconds it stands in line. Answers 1 when held. A deadline far ahead is from before a clock was set back.
local seconds, now = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.6f', now + 2 * seconds), '+inf')
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local ahead = 0
  if KEYS[2] then
    local line, stay = redis.call('HGETALL', KEYS[2]), tonumber(ARGV[8])
    for at = 1, #line, 2 do
      local since, untill = string.match(line[at + 1], '(%S+) (%S+)')
      untill = tonumber(untill)
      if untill <= now or untill > now + 2 * stay then
        redis.call('HDEL', KEYS[2], line[at])
      elseif line[at] ~= ARGV[5] and (ARGV[7] == '0' or tonumber(since) < tonumber(ARGV[6])) then
        ahead = ahead + 1
      end
    end
  end
  if redis.call('ZCARD', KEYS[1]) + ahead >= tonumber(ARGV[2]) then
    if KEYS[2] and ARGV[7] == '1' then
      local stay = tonumber(ARGV[8])
      redis.call('HSET', KEYS[2], ARGV[5], ARGV[6] .. ' ' .. string.format('%.6f', now + stay))
      redis.call('PEXPIRE', KEYS[2], math.ceil(stay * 2000))
    end
    return 0
  end
  if KEYS[2] then redis.call('HDEL', KEYS[2], ARGV[5]) end
end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + seconds), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(seconds * 2000))
return 1
