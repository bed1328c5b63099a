-- One limit's counter in one window: what was settled, and what each Envoy may give out by itself.
-- Run atomically by Redis, so that settled + leased never passes the limit by a grant made here.
--
-- KEYS[1]  the counter of this window, a hash: born, used, leased, holders, check, and e:<envoy> for each that has spoken
-- ARGV     1 envoy      its name, unique for each start of a process
--          2 seq        of this message; the same again is answered, not counted again; an older one is ignored
--          3 born       of the counter, as this Envoy knows it; 0: not at all
--          4 total      what this Envoy has settled in this window
--          5 acked      how much of that this counter has confirmed
--          6 have       what is left of its lease
--          7 need       granted whole or not at all
--          8 want       granted as far as it is fair
--          9 limit
--         10 lease_ms   how long the lease is kept without a message
--         11 keep_ms    how long the counter is kept without a message; 0: for ever, once anything is used
-- Replies  {born, seq, lease, free, share, before, used}
--          seq above the message's: it came too late, and nothing was done. before and used: what was settled by all, before
--          this message and with it; whoever's message passes a threshold tells of it.
--
-- Numbers are doubles here: exact to 2^53, which is what callers keep to.

local key = KEYS[1]
local me = 'e:' .. ARGV[1]
local seq, born, total, acked = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local have, need, want, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local lease_ms, keep_ms = tonumber(ARGV[10]), tonumber(ARGV[11])

-- An Envoy that has given all back is remembered for so long, against messages that come late.
local REST_MS = 1200000

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- "seq total lease expires before used"
local function entry(text)
  if not text then return nil end
  local a, b, c, d, e, f = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return a and { seq = tonumber(a), total = tonumber(b), lease = tonumber(c), expires = tonumber(d),
    before = tonumber(e), used = tonumber(f) }
end

local known = redis.call('HMGET', key, 'born', 'used', 'leased', 'holders', 'check', me)
local life = tonumber(known[1]) or tonumber(time[1]) * 1000000 + tonumber(time[2])
local used = tonumber(known[2]) or 0
local leased = tonumber(known[3]) or 0
local holders = tonumber(known[4]) or 0
local check = tonumber(known[5]) or now + lease_ms
local mine = entry(known[6])

local function share(free)
  return math.max(0, math.floor(free / (2 * (holders + 1))))
end

if mine and seq <= mine.seq then
  local free = math.max(0, limit - used - leased)
  return { life, mine.seq, mine.lease, free, share(free), mine.before, mine.used }
end

-- Leases that were not renewed come back; none can have expired before `check`.
if now >= check then
  local all = redis.call('HGETALL', key)
  check = now + lease_ms
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'e:' then
      local other = entry(all[i + 1])
      if not other or other.expires <= now then
        if other and other.lease > 0 then
          leased = leased - other.lease
          holders = holders - 1
        end
        redis.call('HDEL', key, all[i])
        if all[i] == me then mine = nil end
      else
        check = math.min(check, other.expires)
      end
    end
  end
end

local before = used
if mine and born ~= 0 then
  -- Also right when the store was set back to an earlier state: it takes what it lacks.
  used = used + math.max(0, total - mine.total)
  leased = leased - mine.lease
  if mine.lease > 0 then holders = holders - 1 end
  have = math.min(have, mine.lease)
elseif mine then
  -- This Envoy has forgotten the counter, and holds nothing of it.
  used = used + total
  leased = leased - mine.lease
  if mine.lease > 0 then holders = holders - 1 end
elseif born == life then
  -- The lease had expired: what is left of it is given again only if it is still there.
  used = used + math.max(0, total - acked)
  have = math.min(have, math.max(0, limit - used - leased))
else
  -- The counter is new, or the store has lost its memory: the Envoys tell it again what they settled and hold.
  used = used + total
end

local free = math.max(0, limit - used - leased - have)
local fair = share(free)
local grant = 0
if need <= free then
  grant = math.min(free, math.max(need, math.min(want, fair)))
end
local lease = have + grant
local expires = now + math.min(lease_ms, REST_MS)
if lease > 0 then
  leased = leased + lease
  holders = holders + 1
  expires = now + lease_ms
end
check = math.min(check, expires)

redis.call('HSET', key, 'born', whole(life), 'used', whole(used), 'leased', whole(leased), 'holders', whole(holders),
  'check', whole(check), me, table.concat({ whole(seq), whole(total), whole(lease), whole(expires), whole(before),
    whole(used) }, ' '))
-- Clients may choose whom a counter is for.
if used == 0 then keep_ms = lease_ms + REST_MS end
if keep_ms > 0 then redis.call('PEXPIRE', key, whole(keep_ms)) else redis.call('PERSIST', key) end
return { life, seq, lease, free - grant, fair, before, used }
