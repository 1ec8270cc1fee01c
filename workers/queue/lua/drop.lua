-- Forgets a job that does not run. Returns whether there was one.
-- KEYS: data hash, the job's meta hash, scheduled set, dead set, active list, the job's name
-- ARGV: id
local id = ARGV[1]
local found = redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[4], id)
    + redis.call('LREM', KEYS[5], 0, id)
if found == 0 then
    return 0
end
redis.call('HDEL', KEYS[1], id)
redis.call('DEL', KEYS[2], KEYS[6])
return 1
