-- Appends to a value of a known length.
--
-- KEYS: 1 the value. ARGV: 1 its length in bytes; 2 what to append; 3 seconds to keep it, 0 for ever;
--       4 channel; 5 who writes.
-- Answer: {1 appended, 0 the length differs, 5 the key holds something else; length before}.

local value, tail, ttl = KEYS[1], ARGV[2], tonumber(ARGV[3])
local layout = redis.call('TYPE', value).ok
local length
if layout == 'hash' then
  length = redis.call('HSTRLEN', value, 'config')
elseif layout == 'string' or layout == 'none' then
  length = redis.call('STRLEN', value)
else
  return {5, 0}
end
if length ~= tonumber(ARGV[1]) then return {0, length} end
if #tail > 0 then
  if layout == 'hash' then
    redis.call('HSET', value, 'config', (redis.call('HGET', value, 'config') or '') .. tail)
    redis.call('HDEL', value, 'meta', 'checksum')
  else
    redis.call('APPEND', value, tail)
  end
end
if ttl > 0 then redis.call('EXPIRE', value, ttl) else redis.call('PERSIST', value) end
if #tail > 0 then redis.pcall('PUBLISH', ARGV[4], '0|' .. ARGV[5]) end
return {1, length}
