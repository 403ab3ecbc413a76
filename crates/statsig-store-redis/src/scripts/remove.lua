-- Removes a value, or only one that is older than a time.
--
-- KEYS: 1 the value; 2 what is known about it, if it is a bare string (same slot).
-- ARGV: 1 a time or ''; 2 SHA-1 of a bare string that the caller has read, or ''; 3 its time or '';
--       4 from here on times are from the future: older than every other.
-- Answer: {1 removed, 0 it stays or there is none, 3 the caller has to read what is there; its SHA-1}.

local value, about = KEYS[1], KEYS[2]
local layout = redis.call('TYPE', value).ok
if layout == 'none' then return {0, ''} end
if ARGV[1] ~= '' then
  local there
  local payload
  if layout == 'hash' then
    there = redis.call('HGET', value, 'lcut')
    if not (there and string.match(there, '^%d+$') and #there <= 16) then
      there, payload = nil, redis.call('HGET', value, 'config')
    end
  elseif layout == 'string' then
    payload = redis.call('GET', value)
  end
  if payload then
    local sum = redis.sha1hex(payload)
    local known = redis.call('HMGET', about, 'sha1', 'lcut')
    if known[1] == sum then
      there = known[2]
    elseif ARGV[2] == sum then
      there = ARGV[3]
    else
      return {3, sum}
    end
  end
  local time = there and tonumber(there)
  if time and time >= tonumber(ARGV[1]) and time <= tonumber(ARGV[4]) then return {0, ''} end
end
redis.call('DEL', about)
return {redis.call('DEL', value), ''}
