-- The events of some streams from one version to another, with their lines.
SELECT asked.stream AS name, there.version AS number, there.position, there.line
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS asked (stream, first, last)
CROSS JOIN LATERAL (
    SELECT version, position, line FROM log_event
    WHERE log_event.stream = asked.stream
      AND log_event.version BETWEEN asked.first AND asked.last
    ORDER BY version
) AS there
