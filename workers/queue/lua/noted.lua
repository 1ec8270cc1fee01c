-- KEYS[1] notes by name; ARGV: name. The position, if this very run of the server was told it.
local noted = redis.call('HGET', KEYS[1], ARGV[1])
if not noted then
    return false
end
local position, by = string.match(noted, '^(%d+) (%w+)$')
if by ~= string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') then
    return false
end
return position
