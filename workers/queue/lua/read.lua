-- Reads a job: what it is, where it stands, its tries, when it is due, what went wrong; nil if none.
-- KEYS: data hash, the job's meta hash, scheduled set, dead set, active list, the job's name
-- ARGV: id
local id = ARGV[1]
local args = redis.call('HGET', KEYS[1], id)
if not args then
    return nil
end
local meta = redis.call('HMGET', KEYS[2], 'attempts', 'run_at', 'last_error')
local status = 'running'
local run_at = redis.call('ZSCORE', KEYS[3], id)
if run_at then
    status = 'waiting'
elseif redis.call('ZSCORE', KEYS[4], id) then
    status = 'dead'
elseif redis.call('LPOS', KEYS[5], id) then
    status = 'waiting'
end
return {args, status, tonumber(meta[1]) or 0, run_at or meta[2] or '0', meta[3] or ''}
