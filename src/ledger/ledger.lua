-- Told of in store.rs. Limits as in page.rs.
local rows, heard = KEYS[1], KEYS[2]
local me, seq, born, today, known = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local ROWS, OPEN_ROWS, OTHERS, KEPT_DAYS, KEEP_MS, HEARD_MS = 32, 16, 80, 62, 8035200000, 2678400000
local ANY = '\0\0'

local life, page, counts = nil, {}, { [0] = 0, 0, 0 }
local function kind(head) return string.byte(head) end
local function day(head)
  local number, scale = 0, 1
  for at = 2, #head do
    local byte = string.byte(head, at)
    number, scale = number + byte % 128 * scale, scale * 128
    if byte < 128 then return number, string.sub(head, 2, at) end
  end
  return 0, '\0'
end
local function put(head, text, how)
  local sums = page[head]
  if not sums then
    sums = { 0, 0, 0, 0, 0, 0, 0, 0 }
    page[head] = sums
    counts[kind(head)] = counts[kind(head)] + 1
  end
  local at = 0
  for number in string.gmatch(text, '%d+') do
    at = at + 1
    sums[at] = math.min(how(sums[at], tonumber(number)), 9007199254740992)
  end
end
local function text(sums)
  local words = {}
  for at = 1, 8 do words[at] = string.format('%.0f', sums[at]) end
  return table.concat(words, ' ')
end
local function sum(a, b) return a + b end

local all = redis.call('HGETALL', rows)
for at = 1, #all, 2 do
  if all[at] == '' then life = all[at + 1] else put(all[at], all[at + 1], sum) end
end

local function full(head)
  local open = kind(head) == 2 and counts[2] >= OPEN_ROWS
  return kind(head) > 0 and not page[head] and (open or counts[1] + counts[2] >= ROWS)
end
local changed = {}
local function fold()
  local past = {}
  for head in pairs(page) do
    local of = day(head)
    if of > 0 and of + KEPT_DAYS < today then past[#past + 1] = head end
  end
  for _, head in ipairs(past) do
    local totals = text(page[head])
    page[head], changed[head], counts[kind(head)] = nil, nil, counts[kind(head)] - 1
    redis.call('HDEL', rows, head)
    put(ANY, totals, sum)
    changed[ANY] = true
  end
end
local function change(head, totals, how)
  if full(head) then fold() end
  if full(head) then
    local _, of = day(head)
    head = '\0' .. of
    if not page[head] and counts[0] >= OTHERS then head = ANY end
  end
  put(head, totals, how)
  changed[head] = true
end

local last = 5 + 2 * known
if life ~= born and #ARGV > 5 or #ARGV > last then
  if not life then
    local time = redis.call('TIME')
    life = string.format('%d%06d', time[1], time[2])
    redis.call('HSET', rows, '', life)
  end
  if seq > tonumber(redis.call('ZSCORE', heard, me) or 0) then
    for at = 6, #ARGV, 2 do
      if at > last then
        change(ARGV[at], ARGV[at + 1], sum)
      elseif life ~= born then
        change(ARGV[at], ARGV[at + 1], math.max)
      end
    end
    redis.call('ZADD', heard, seq, me)
    redis.call('ZREMRANGEBYSCORE', heard, 0, seq - HEARD_MS)
  end
  for head in pairs(changed) do redis.call('HSET', rows, head, text(page[head])) end
  redis.call('PEXPIRE', rows, KEEP_MS)
  redis.call('PEXPIRE', heard, KEEP_MS)
end

local reply = { life or '0', ARGV[2] }
for head, sums in pairs(page) do
  reply[#reply + 1] = head
  reply[#reply + 1] = text(sums)
end
return reply
