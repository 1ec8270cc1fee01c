-- Everything that a batch writes but what it removes, in one step. Returns where the log ends now,
-- beside no tenant, and how many wait of each tenant that the batch has changed.
--
-- The head is locked by now and at $18; were it elsewhere, no row would come back for it.
WITH appended AS (
    INSERT INTO log_event (position, id, stream, version, line)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[], $5::bytea[])
), claimed AS (
    INSERT INTO log_claim (network, transaction, verification, position)
    SELECT * FROM unnest($6::text[], $7::bytea[], $8::uuid[], $9::bigint[])
), begun AS (
    INSERT INTO log_waiting (network, transaction, verification, position,
                             closes_at_seconds, closes_at_nanos, tenant)
    SELECT * FROM unnest($10::text[], $11::bytea[], $12::uuid[], $13::bigint[],
                         $14::bigint[], $15::int[], $16::text[])
    ON CONFLICT (network, transaction, verification) DO UPDATE SET
        position = excluded.position, closes_at_seconds = excluded.closes_at_seconds,
        closes_at_nanos = excluded.closes_at_nanos, tenant = excluded.tenant
), kept AS (
    INSERT INTO log_attachment (stream, bytes)
    SELECT * FROM unnest($20::text[], $21::bytea[])
    ON CONFLICT (stream) DO UPDATE SET bytes = excluded.bytes
), counted AS (
    INSERT INTO log_tenant (tenant, waiting, position)
    SELECT tenant, waiting, $17::bigint
    FROM unnest($22::text[], $23::bigint[]) AS changed (tenant, waiting)
    ON CONFLICT (tenant) DO UPDATE SET
        waiting = log_tenant.waiting + excluded.waiting, position = excluded.position
    RETURNING tenant, waiting
), moved AS (
    UPDATE log_head SET position = $17, hash = $19
    WHERE id = 1 AND position = $18
    RETURNING position
)
SELECT NULL::text AS tenant, position AS number FROM moved
UNION ALL
SELECT tenant, waiting FROM counted
