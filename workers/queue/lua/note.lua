-- KEYS[1] notes by name; ARGV: name, position.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. run)
