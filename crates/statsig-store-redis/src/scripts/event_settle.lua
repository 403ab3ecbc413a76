-- Takes a batch out of a stream: it arrived, or it never will.
--
-- KEYS: 1 the stream; 2 the mark of the batch; 3 the stream of batches that nobody takes (same slot).
-- ARGV: 1 group; 2 place of the batch in the stream; 3 `delivered`, `dead` or `known`; 4 seconds to know the
--       batch; 5 most dead batches; 6 why it is dead.
-- Answer: 1 if this took it out, 0 if it was out.

if ARGV[3] == 'dead' then
  local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
  if entry and tonumber(ARGV[5]) > 0 then
    local fields = entry[2]
    fields[#fields + 1] = 'reason'
    fields[#fields + 1] = ARGV[6]
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', unpack(fields))
  end
end
if ARGV[3] ~= 'known' then redis.call('SET', KEYS[2], 'done', 'EX', ARGV[4]) end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
