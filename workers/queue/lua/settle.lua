-- Says what happens to a job after a try; nothing where the worker holds it no more.
-- KEYS: data hash, the job's meta hash, scheduled set, dead set, active list, the job's name
-- KEYS[7]: the worker's jobs in flight
-- ARGV: id, done | again | next | dead, time, why, most dead letters
local id, what, time, why, dead_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('SREM', KEYS[7], id) == 0 then
    return
end
if redis.call('HEXISTS', KEYS[1], id) == 0 then
    return
end
if what == 'done' then
    redis.call('HDEL', KEYS[1], id)
    redis.call('DEL', KEYS[2], KEYS[6])
    return
end
redis.call('HDEL', KEYS[2], 'locked_by')
redis.call('HSET', KEYS[2], 'last_error', why, 'run_at', time)
if what == 'next' then
    redis.call('HSET', KEYS[2], 'attempts', 0)
end
if what == 'again' or what == 'next' then
    redis.call('HSET', KEYS[2], 'status', 'Pending')
    redis.call('ZADD', KEYS[3], time, id)
    return
end
redis.call('HSET', KEYS[2], 'status', 'Killed')
redis.call('ZADD', KEYS[4], time, id)
local prefix = string.sub(KEYS[2], 1, -1 - string.len(id))
while redis.call('ZCARD', KEYS[4]) > dead_max do
    local oldest = redis.call('ZRANGE', KEYS[4], 0, 0)[1]
    redis.call('ZREM', KEYS[4], oldest)
    redis.call('HDEL', KEYS[1], oldest)
    redis.call('DEL', prefix .. oldest)
end
