-- Add to what was taken of windows at an earlier time, whatever their limits are.
-- KEYS: one a window. ARGV: now, that time, then kind, limit, seconds and cost of each window.
local now, at = tonumber(ARGV[1]), tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
  local window = {
    key = key, kind = kinds[ARGV[4 * i - 1]], limit = tonumber(ARGV[4 * i]), seconds = tonumber(ARGV[4 * i + 1]),
    cost = tonumber(ARGV[4 * i + 2]),
  }
  window.kind.load(window, now)
  window.kind.correct(window, at, now)
end
return 1
