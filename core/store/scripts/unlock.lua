-- Give a lock back. KEYS: the lock. ARGV: owner.
local held = redis.call('GET', KEYS[1])
if held then
  local _, owner_at = struct.unpack('<d', held)
  if string.sub(held, owner_at) == ARGV[1] then redis.call('DEL', KEYS[1]) end
end
return 1
