-- Has a job that waits or is dead run now. Returns whether there was one.
-- KEYS: data hash, the job's meta hash, scheduled set, dead set, active list, the job's name
-- ARGV: id, now
local id = ARGV[1]
if redis.call('HEXISTS', KEYS[1], id) == 0 then
    return 0
end
local found = redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[4], id)
    + redis.call('LREM', KEYS[5], 0, id)
if found == 0 then
    return 0
end
redis.call('HSET', KEYS[2], 'status', 'Pending', 'attempts', 0, 'run_at', ARGV[2])
redis.call('RPUSH', KEYS[5], id)
return 1
