-- A stretch of a kind's records, by their keys. KEYS: the kind's hash, the order of its keys. ARGV: the lower bound, the
-- upper one, how many, 1 to begin at the upper. Answers the keys, then the values.
local names
if ARGV[4] == '1' then
  names = redis.call('ZREVRANGEBYLEX', KEYS[2], ARGV[2], ARGV[1], 'LIMIT', 0, ARGV[3])
else
  names = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
end
local values = {}
-- One by one: a call takes a few thousand arguments at most.
for i, name in ipairs(names) do values[i] = redis.call('HGET', KEYS[1], name) end
return { names, values }
