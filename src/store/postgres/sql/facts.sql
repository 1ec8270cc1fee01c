-- What a batch must know before it is decided, in one look: where the log ends, and of the streams,
-- claims and waits that the batch names, those that are there. Each is found by its key, whatever
-- the planner believes about the sizes of the tables: that is what LATERAL and LIMIT are for.
SELECT 0::int AS kind, NULL::text AS name, hash, NULL::uuid AS verification,
       position, NULL::bigint AS number, NULL::int AS nanos, NULL::text AS tenant
FROM log_head
UNION ALL
SELECT 1, asked.stream, NULL, NULL, newest.position, newest.version, NULL, NULL
FROM unnest($1::text[]) AS asked (stream)
CROSS JOIN LATERAL (
    SELECT position, version FROM log_event
    WHERE log_event.stream = asked.stream
    ORDER BY version DESC LIMIT 1
) AS newest
UNION ALL
SELECT 2, asked.network, asked.transaction, held.verification, held.position, NULL, NULL, NULL
FROM unnest($2::text[], $3::bytea[]) AS asked (network, transaction)
CROSS JOIN LATERAL (
    SELECT verification, position FROM log_claim
    WHERE log_claim.network = asked.network AND log_claim.transaction = asked.transaction
    LIMIT 1
) AS held
UNION ALL
SELECT 3, asked.network, asked.transaction, asked.verification,
       begun.position, begun.closes_at_seconds, begun.closes_at_nanos, begun.tenant
FROM unnest($4::text[], $5::bytea[], $6::uuid[]) AS asked (network, transaction, verification)
CROSS JOIN LATERAL (
    SELECT position, closes_at_seconds, closes_at_nanos, tenant FROM log_waiting
    WHERE log_waiting.network = asked.network
      AND log_waiting.transaction = asked.transaction
      AND log_waiting.verification = asked.verification
    LIMIT 1
) AS begun
