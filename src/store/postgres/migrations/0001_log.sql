-- The event log: its events, where it ends, and what is derived from events in the same transaction.
--
-- Plain tables and unique keys only, so that engines that speak PostgreSQL's protocol can serve:
-- no sequences (they leave gaps, and commit out of order), advisory locks, triggers or functions.

-- Where the log ends: one row. Whoever appends locks it, last of all, and moves it in the same
-- transaction. So positions have no gap, and who has read this row finds every event up to it.
CREATE TABLE log_head (
    id smallint PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL CHECK (position >= 0),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

INSERT INTO log_head (id, position, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- `line` is the whole envelope, byte for byte as it was hashed, whatever the encoding of the
-- database is. To read one: convert_from(line, 'UTF8')::jsonb.
CREATE TABLE log_event (
    position bigint PRIMARY KEY CHECK (position > 0),
    id uuid NOT NULL,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    line bytea NOT NULL,
    CONSTRAINT log_event_id UNIQUE (id),
    CONSTRAINT log_event_version UNIQUE (stream, version)
);

-- Names of streams in the order in which they are listed: as if each ended in '|'.
CREATE UNIQUE INDEX log_event_first ON log_event ((stream || '|')) WHERE version = 1;

-- Which verification a transaction has confirmed: one at most.
CREATE TABLE log_claim (
    network text COLLATE "C" NOT NULL,
    transaction bytea NOT NULL,
    verification uuid NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (network, transaction)
);

-- Who waits for which transaction. The time is kept whole: timestamptz would lose nanoseconds.
CREATE TABLE log_waiting (
    network text COLLATE "C" NOT NULL,
    transaction bytea NOT NULL,
    verification uuid NOT NULL,
    position bigint NOT NULL,
    closes_at_seconds bigint NOT NULL,
    closes_at_nanos int NOT NULL,
    tenant text NOT NULL,
    PRIMARY KEY (network, transaction, verification)
);

-- How many of a tenant's verifications wait, and which append changed that last.
CREATE TABLE log_tenant (
    tenant text COLLATE "C" PRIMARY KEY,
    waiting bigint NOT NULL,
    position bigint NOT NULL
);

-- What is kept beside a stream until one of its events releases it.
CREATE TABLE log_attachment (
    stream text COLLATE "C" PRIMARY KEY,
    bytes bytea NOT NULL
);
