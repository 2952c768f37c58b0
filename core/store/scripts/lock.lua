-- Hold or renew a lock. KEYS: the lock. ARGV: owner, seconds, now. Answers 1 when held.
-- The value is the deadline by the callers' clock, as a double, and the owner; the key also expires by itself.
local held = redis.call('GET', KEYS[1])
local seconds, now = tonumber(ARGV[2]), tonumber(ARGV[3])
if held then
  local deadline, owner_at = struct.unpack('<d', held)
  if deadline > now and string.sub(held, owner_at) ~= ARGV[1] then return 0 end
end
redis.call('SET', KEYS[1], struct.pack('<d', now + seconds) .. ARGV[1], 'PX', math.max(1, math.ceil(seconds * 1000)))
return 1
