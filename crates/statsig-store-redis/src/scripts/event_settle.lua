-- Takes a batch out of a stream: it arrived, or it never will.
--
-- KEYS: 1 the stream; 2 the mark of the batch; 3 the stream of batches that nobody takes (same slot).
-- ARGV: 1 group; 2 place of the batch in the stream; 3 `delivered`, `dead` or `known`; 4 seconds to know the
--       batch; 5 most dead batches; 6 why it is dead.
-- Answer: 1 if this took it out, 0 if it was out, 2 if it is out but could not be set aside.

local entry
if ARGV[3] == 'dead' and tonumber(ARGV[5]) > 0 then
  entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
end
-- First what takes no memory: a full server must not keep a batch that has arrived, since others would send it again.
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
local out = redis.call('XDEL', KEYS[1], ARGV[2])
if entry then
  local fields = entry[2]
  fields[#fields + 1] = 'reason'
  fields[#fields + 1] = ARGV[6]
  local added = redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', unpack(fields))
  if type(added) == 'table' and added.err then out = 2 end
end
-- Not knowing the batch later may repeat it, if somebody still tries to add it.
if ARGV[3] ~= 'known' then redis.pcall('SET', KEYS[2], 'done', 'EX', ARGV[4]) end
return out
