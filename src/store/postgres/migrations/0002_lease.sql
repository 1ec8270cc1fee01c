-- Who may do what only one process at a time does. A new holder raises the epoch while it holds the
-- lock of the log's head, so that no append is decided under an older one from then on.
CREATE TABLE log_lease (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    until timestamptz NOT NULL
);

-- What every process must have without its being here, told apart by fingerprints.
CREATE TABLE log_secret (
    name text COLLATE "C" PRIMARY KEY,
    fingerprint bytea NOT NULL
);

-- Which programs may use this schema: those that know this migration or a newer one. A migration
-- that older programs can live with leaves it, so that two versions run side by side while an
-- installation is upgraded; one that they cannot live with raises it.
CREATE TABLE log_compatible (
    id smallint PRIMARY KEY CHECK (id = 1),
    since bigint NOT NULL
);

INSERT INTO log_compatible (id, since) VALUES (1, 2);
