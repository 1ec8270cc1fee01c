-- Where the log ends, beside no tenant, and how many wait of each tenant that an append after $1 has
-- changed.
SELECT NULL::text AS tenant, hash, position, NULL::bigint AS waiting FROM log_head
UNION ALL
SELECT tenant, NULL, position, waiting FROM log_tenant WHERE position > $1
