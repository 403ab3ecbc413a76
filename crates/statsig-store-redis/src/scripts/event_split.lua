-- Puts the halves of a batch in its place.
--
-- KEYS: 1 the stream; 2 the mark of the batch (same slot).
-- ARGV: 1 group; 2 place of the batch in the stream; 3 seconds to know the batch; 4 number of values of a half;
--       5 who does it; from 6 on names and values of the fields of the one half, then those of the other.
-- Answer: 1 if this did it, now or in a call whose answer was lost; 0 if the batch was out.

local by = 'done:' .. ARGV[5]
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  if redis.call('GET', KEYS[2]) == by then return 1 end
  return 0
end
-- The halves first: should there be no room for them, the whole stays.
local each = tonumber(ARGV[4])
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 6, 5 + each))
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 6 + each, 5 + 2 * each))
-- An error here would have them added again by the next attempt.
redis.pcall('SET', KEYS[2], by, 'EX', ARGV[3])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
