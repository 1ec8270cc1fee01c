-- Says that a worker lives, and takes back the jobs of those that have been silent for too long.
-- Returns whether the worker is known.
-- KEYS: workers set, active list, what the names of the sets of jobs in flight begin with
-- ARGV: worker, now, the last time at which a worker that is gone may have been heard
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[3])) do
    local held = KEYS[3] .. ':' .. gone
    for _, id in ipairs(redis.call('SMEMBERS', held)) do
        redis.call('RPUSH', KEYS[2], id)
    end
    redis.call('DEL', held)
    redis.call('ZREM', KEYS[1], gone)
end
return 1
