-- Counts a try of a job that a worker holds. Returns the tries so far, or nil where it holds it not.
-- KEYS: data hash, the job's meta hash, scheduled set, dead set, active list, the job's name
-- KEYS[7]: the worker's jobs in flight
-- ARGV: id, worker
if redis.call('SISMEMBER', KEYS[7], ARGV[1]) == 0 then
    return nil
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    redis.call('SREM', KEYS[7], ARGV[1])
    return nil
end
redis.call('HSET', KEYS[2], 'status', 'Running', 'locked_by', ARGV[2])
return redis.call('HINCRBY', KEYS[2], 'attempts', 1)
