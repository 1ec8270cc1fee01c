-- Waits that end, and attachments that are released. What is not there was never written.
WITH ended AS (
    DELETE FROM log_waiting
    USING unnest($1::text[], $2::bytea[], $3::uuid[]) AS gone (network, transaction, verification)
    WHERE log_waiting.network = gone.network
      AND log_waiting.transaction = gone.transaction
      AND log_waiting.verification = gone.verification
)
DELETE FROM log_attachment WHERE stream = ANY ($4::text[])
