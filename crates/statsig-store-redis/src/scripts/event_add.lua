-- Adds a batch of events to a stream, unless it was added before.
--
-- KEYS: 1 the stream; 2 the mark of the batch (same slot).
-- ARGV: 1 most batches; 2 seconds to know the batch; from 3 on names and values of its fields.
-- Answer: {1 added or 0 known, batches dropped from the other end}.

if redis.call('EXISTS', KEYS[2]) == 1 then return {0, 0} end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
local dropped = redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
-- Not knowing the batch later may repeat it; that is better than to say that it was not taken.
redis.pcall('SET', KEYS[2], 'queued', 'EX', ARGV[2])
return {1, dropped}
