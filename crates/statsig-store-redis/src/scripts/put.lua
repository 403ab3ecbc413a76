-- Stores a payload unless a newer one is there; one call, so that writers cannot come between.
--
-- KEYS: 1 the value; 2 what is known about it, if the value is a bare string (same slot).
-- ARGV: 1 `newer` or `force`; 2 time of the payload; 3 its checksum or ''; 4 the payload as stored;
--       5 seconds to keep it, 0 for ever; 6 channel; 7 now in ms; 8 who writes; 9 format; 10 codec;
--       11 layout of a value that is not there yet; 12 SHA-1 of a stored payload that the caller has
--       read, or ''; 13 its time, or '' if it cannot be used; 14 its checksum; 15 from here on times are
--       from the future.
-- Answer: {what, time of what was there or '', SHA-1 of what was there or ''}, where what is
--       0 a newer one stays; 1 written; 2 the same was there; 3 the caller has to read what is there;
--       4 written, not announced; 5 the key holds something else.

local value, about = KEYS[1], KEYS[2]
local time, checksum, payload, ttl = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local layout = redis.call('TYPE', value).ok
if layout == 'none' then
  layout = ARGV[11]
elseif layout ~= 'hash' and layout ~= 'string' then
  return {5, '', ''}
end

local function stored_payload()
  if layout == 'hash' then
    return redis.call('HGET', value, 'config')
  end
  return redis.call('GET', value)
end

local function keep()
  local keys = {value}
  if layout == 'string' then keys[2] = about end
  for _, key in ipairs(keys) do
    if ttl > 0 then
      redis.call('EXPIRE', key, ttl)
    else
      redis.call('PERSIST', key)
    end
  end
end

local function number(text)
  if type(text) == 'string' and string.match(text, '^%d+$') and #text <= 16 then
    return tonumber(text)
  end
  return nil
end

-- What is there: its time, and its checksum where that belongs to it.
local there, there_checksum, ours = nil, nil, false
if ARGV[1] == 'newer' then
  local sum
  if layout == 'hash' then
    local known = redis.call('HMGET', value, 'lcut', 'checksum', 'meta')
    there = number(known[1])
    -- Other writers leave our fields as they are; `meta` says which payload they describe.
    ours = there and known[3] == known[1]
    if ours and known[2] then there_checksum = known[2] end
    if not there and redis.call('HSTRLEN', value, 'config') > 0 then
      sum = redis.sha1hex(redis.call('HGET', value, 'config'))
    end
  else
    local current = redis.call('GET', value)
    if current and #current > 0 then
      sum = redis.sha1hex(current)
      local known = redis.call('HMGET', about, 'sha1', 'lcut', 'checksum')
      if known[1] == sum then
        there, ours = number(known[2]), true
        if known[3] then there_checksum = known[3] end
      end
    end
  end
  local new, future = tonumber(time), tonumber(ARGV[15])
  -- A time of another writer that would keep the payload out counts only if it belongs to something that can be
  -- used, which the caller finds out. The same for one from the future, where the payload may tell another.
  if not there or (there > new and not ours) or there > future then
    local payload_there = not sum and stored_payload()
    if payload_there and #payload_there > 0 then sum = redis.sha1hex(payload_there) end
    if sum then
      if sum ~= ARGV[12] then return {3, there and string.format('%.0f', there) or '', sum} end
      there, there_checksum = number(ARGV[13]), ARGV[14]
    end
  end
  -- Of one from the future and one that is not, the latter is newer.
  if there and there > future and new <= future then there = nil end
  if there then
    if new < there or (new > future and there <= future) then
      return {0, string.format('%.0f', there), ''}
    end
    if new == there then
      local same
      if there_checksum and there_checksum ~= '' and checksum ~= '' then
        same = there_checksum == checksum
      else
        same = stored_payload() == payload
      end
      if same then
        if there <= future then keep() end
        return {2, string.format('%.0f', there), ''}
      end
    end
  end
end

if layout == 'hash' then
  redis.call('HSET', value, 'config', payload, 'lcut', time, 'encoding', 'plain_text', 'checksum', checksum,
    'fmt', ARGV[9], 'codec', ARGV[10], 'v', '1', 'at', ARGV[7], 'by', ARGV[8], 'meta', time)
else
  redis.call('SET', value, payload)
  redis.call('HSET', about, 'sha1', redis.sha1hex(payload), 'lcut', time, 'checksum', checksum, 'at', ARGV[7],
    'by', ARGV[8], 'v', '1')
end
keep()
local before = there and string.format('%.0f', there) or ''
-- Not being allowed to announce must not undo what is stored.
local announced = redis.pcall('PUBLISH', ARGV[6], time .. '|' .. ARGV[8])
if type(announced) == 'table' and announced.err then return {4, before, ''} end
return {1, before, ''}
