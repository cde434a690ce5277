"""What the Redis server does in one step, so that two processes never undo each other's work: small Lua scripts.

They run by EVAL, which needs `+eval` (and `+time` for the pauses) beside reading and writing. Keys of another type than ours stand
in the way of nothing: they are removed.
"""

from __future__ import annotations

from typing import Final

_MAKE_ROOM: Final = """
local function make_room(key, kind)
  local held = redis.call('TYPE', key).ok
  if held ~= kind and held ~= 'none' then redis.call('DEL', key) end
end
local function digest_of(key)
  local held = redis.pcall('GET', key)
  if type(held) == 'string' then return redis.sha1hex(held) end
  return ''
end
local function announce(zones_key, token_key, token, ttl, zones)
  make_room(zones_key, 'set')
  make_room(token_key, 'string')
  for _, zone in ipairs(zones) do redis.call('SADD', zones_key, zone) end
  redis.call('PEXPIRE', zones_key, ttl)
  local before = redis.call('GET', token_key)
  redis.call('SET', token_key, token, 'PX', ttl)
  return before
end
"""

WRITE: Final = (
    _MAKE_ROOM
    + """
local n, ttl = tonumber(ARGV[1]), ARGV[2]
for i = 1, n do
  if digest_of(KEYS[i]) ~= ARGV[4 * i] then return {0} end
end
for i = 1, n do
  local chunk, index = KEYS[i], KEYS[n + i]
  redis.call('SET', chunk, ARGV[4 * i + 1], 'PX', ttl)
  make_room(index, 'hash')
  redis.call('HSET', index, ARGV[4 * i + 2], ARGV[4 * i + 3])
  redis.call('PEXPIRE', index, ttl)
end
if #KEYS == 2 * n + 1 then
  redis.call('SET', KEYS[2 * n + 1], ARGV[3], 'PX', ttl)
  return {1}
end
return {1, announce(KEYS[2 * n + 1], KEYS[2 * n + 2], ARGV[3], ttl, {unpack(ARGV, 4 * n + 4)})}
"""
)
"""Write n chunks if each is still what was read of it; {0} when one is not, else {1} or {1, token before}.

KEYS: chunks, their indexes, then zones and token, or in a cluster the zone's mark that these are still to be told. ARGV: n,
time to live [ms], token, then for each chunk the SHA-1 of what was read ("" for nothing), what to write, its field in the index and
what stands there; then the zones.
"""

ANNOUNCE: Final = (
    _MAKE_ROOM
    + """
return {1, announce(KEYS[1], KEYS[2], ARGV[2], ARGV[1], {unpack(ARGV, 3)})}
"""
)
"""Add zones to those that hold something, and put a new token in place of the one before, which is returned."""

DROP: Final = (
    _MAKE_ROOM
    + """
if ARGV[1] ~= digest_of(KEYS[1]) then return 0 end
if KEYS[2] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return redis.call('DEL', KEYS[1])
"""
)
"""Delete a key, and its field in the index, if it still holds what was read; "" for what is not even a string."""

SWAP: Final = (
    _MAKE_ROOM
    + """
if ARGV[1] ~= digest_of(KEYS[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
)
"""Write what is kept if the key still holds what was read; ARGV: the SHA-1 of that ("" for nothing), what to write, time to live [ms]."""

HELD: Final = (
    _MAKE_ROOM
    + """
make_room(KEYS[1], 'hash')
local found = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if redis.call('EXISTS', ARGV[1] .. fields[i]) == 1 then
    table.insert(found, fields[i])
    table.insert(found, fields[i + 1])
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
return found
"""
)
"""The fields of a zone's index whose chunks are still there; the others are struck out. ARGV: what comes before a field in a key."""

RELEASE: Final = """
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
"""Delete a claim, or a mark, that still carries this token."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

PAUSE: Final = (
    _MAKE_ROOM
    + _NOW
    + """
make_room(KEYS[1], 'hash')
local ends = now + tonumber(ARGV[2])
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) or 0
if ends > before then redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ends)) end
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""
)
"""Let a source be left alone for so many ms, unless it is to be for longer already."""

PAUSES: Final = (
    _MAKE_ROOM
    + _NOW
    + """
make_room(KEYS[1], 'hash')
local found = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local left = (tonumber(fields[i + 1]) or 0) - now
  if left > 0 then
    table.insert(found, fields[i])
    table.insert(found, string.format('%.0f', left))
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
return found
"""
)
"""The sources to leave alone, each followed by how many ms more."""

DRAW: Final = (
    _MAKE_ROOM
    + _NOW
    + """
make_room(KEYS[1], 'hash')
local wanted, capacity, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or 0) or 0
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now) or now
if ARGV[4] == '1' then used = used - math.max(0, now - at) * capacity / period end
if not (used >= 0) then used = 0 end
used = math.min(used, capacity)
local taken = math.max(math.min(wanted, math.floor(capacity - used + 0.000001)), -math.ceil(used))
if taken ~= 0 then
  used = math.max(0, used + taken)
  redis.call('HSET', KEYS[1], 'used', string.format('%.6f', used), 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return {taken, string.format('%.6f', math.max(0, capacity - used))}
"""
)
"""Take as many as are wanted and there out of a bucket, or give back; returns how many and what is left.

ARGV: how many, what it holds, in how many ms it refills, "1" if it does.
"""
