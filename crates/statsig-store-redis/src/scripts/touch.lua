-- Begins the time to live of a value again, unless what it holds orders nothing.
--
-- KEYS: 1 the value; 2 what is known about it, if it is a bare string (same slot).
-- ARGV: 1 seconds to keep it, 0 for ever; 2 from here on times are from the future, or '' if values of this key have
--       no time.
-- Answer: 1 it is kept; 0 there is none, or its time is missing, no number, or from the future.

local value, about, ttl = KEYS[1], KEYS[2], tonumber(ARGV[1])
local layout = redis.call('TYPE', value).ok
if layout == 'none' then return 0 end
if layout == 'hash' and ARGV[2] ~= '' then
  local time = redis.call('HGET', value, 'lcut')
  if not (time and string.match(time, '^%d+$') and tonumber(time) > 0 and tonumber(time) <= tonumber(ARGV[2])) then
    return 0
  end
end
local keys = {value}
if layout == 'string' then keys[2] = about end
for _, key in ipairs(keys) do
  if ttl > 0 then
    redis.call('EXPIRE', key, ttl)
  else
    redis.call('PERSIST', key)
  end
end
return 1
