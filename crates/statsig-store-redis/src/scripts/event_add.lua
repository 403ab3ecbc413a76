-- Adds a batch of events to a stream, unless it was added before.
--
-- KEYS: 1 the stream; 2 the mark of the batch; 3 bytes added since the stream was last weighed (same slot).
-- ARGV: 1 most batches; 2 seconds to know the batch; 3 most bytes; 4 bytes between two weighings; from 5 on names and
--       values of its fields.
-- Answer: {1 added or 0 known, batches dropped from the other end for their number, and for their bytes, 1 if the server
--       does not tell how large the stream is}.

if redis.call('EXISTS', KEYS[2]) == 1 then return {0, 0, 0, 0} end
local newest = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 5))
-- At once: whatever fails below, a writer that tries again does not add the batch again. Not knowing it later may
-- repeat it; that is better than to say that it was not taken.
redis.pcall('SET', KEYS[2], 'queued', 'EX', ARGV[2])
local dropped = redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])

local most, every = tonumber(ARGV[3]), tonumber(ARGV[4])
local since = tonumber(redis.call('GET', KEYS[3])) or every
for at = 5, #ARGV do since = since + #ARGV[at] end
local heavy, unknown = 0, 0
if since >= every then
  since = 0
  -- Of all blocks: a few of them say nothing about others where writers have batches of different sizes.
  local weight = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
  if type(weight) ~= 'number' then
    unknown = 1
  elseif weight > most then
    -- The oldest that make up for the surplus, and no more than a few steps' worth at once: others wait meanwhile.
    local surplus, freed, steps = weight - most, 0, 0
    local enough = math.min(surplus, 4 * every)
    local first = redis.call('XRANGE', KEYS[1], '-', newest, 'COUNT', 1)[1]
    while first and first[1] ~= newest and freed < enough and steps < 4096 do
      for _, part in ipairs(first[2]) do freed = freed + #part end
      steps = steps + 1
      first = redis.call('XRANGE', KEYS[1], '(' .. first[1], newest, 'COUNT', 1)[1]
    end
    if first and steps > 0 then heavy = redis.call('XTRIM', KEYS[1], 'MINID', first[1]) end
    -- What is left of the surplus goes with the next batch.
    if freed < surplus and first and first[1] ~= newest then since = every end
  end
end
redis.pcall('SET', KEYS[3], string.format('%.0f', since), 'EX', ARGV[2])
return {1, dropped, heavy, unknown}
