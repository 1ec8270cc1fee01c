//! The tables of a read model's file, as ops/read-model.md documents them for people.
//!
//! A change here raises the projection's version: files are never migrated, they are built anew.

pub(super) use crate::flat::{COLUMNS, RESOURCE_COLUMNS};

/// The tables and the view, each statement as SQLite keeps it.
pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE checkpoint (\n  \
       only_row INTEGER PRIMARY KEY CHECK (only_row = 1),\n  \
       position INTEGER NOT NULL,\n  \
       event TEXT NOT NULL\n\
     ) STRICT",
    "CREATE TABLE verifications (\n  \
       number INTEGER PRIMARY KEY,\n  \
       id TEXT NOT NULL,\n  \
       tenant TEXT NOT NULL,\n  \
       network TEXT NOT NULL,\n  \
       transaction_hash TEXT NOT NULL,\n  \
       payer TEXT NOT NULL,\n  \
       pay_to TEXT NOT NULL,\n  \
       asset TEXT NOT NULL COLLATE NOCASE,\n  \
       amount_billions INTEGER NOT NULL,\n  \
       amount_rest INTEGER NOT NULL,\n  \
       method TEXT NOT NULL,\n  \
       url TEXT NOT NULL,\n  \
       requested_at INTEGER NOT NULL,\n  \
       version INTEGER NOT NULL,\n  \
       changed INTEGER NOT NULL,\n  \
       status TEXT NOT NULL,\n  \
       code TEXT,\n  \
       detail TEXT,\n  \
       block_height INTEGER,\n  \
       block_hash TEXT,\n  \
       block_time INTEGER,\n  \
       decided_at INTEGER,\n  \
       usage TEXT NOT NULL,\n  \
       reserved_until INTEGER\n\
     ) STRICT",
    "CREATE TABLE resources (\n  \
       number INTEGER PRIMARY KEY,\n  \
       tenant TEXT NOT NULL,\n  \
       method TEXT NOT NULL,\n  \
       url TEXT NOT NULL,\n  \
       updated_at INTEGER NOT NULL,\n  \
       x402_version INTEGER NOT NULL,\n  \
       description TEXT,\n  \
       mime_type TEXT,\n  \
       max_timeout_seconds INTEGER NOT NULL,\n  \
       terms TEXT NOT NULL,\n  \
       UNIQUE (tenant, method, url)\n\
     ) STRICT",
    "CREATE TABLE waiting (\n  \
       id TEXT PRIMARY KEY,\n  \
       candidate TEXT NOT NULL\n\
     ) STRICT, WITHOUT ROWID",
    "CREATE TABLE tallies (\n  \
       tenant TEXT NOT NULL,\n  \
       width INTEGER NOT NULL,\n  \
       begins INTEGER NOT NULL,\n  \
       network TEXT NOT NULL,\n  \
       asset TEXT NOT NULL,\n  \
       status TEXT NOT NULL,\n  \
       code TEXT NOT NULL,\n  \
       took_ms INTEGER NOT NULL,\n  \
       number INTEGER NOT NULL,\n  \
       spelled TEXT NOT NULL,\n  \
       count INTEGER NOT NULL,\n  \
       amount_billions INTEGER NOT NULL,\n  \
       amount_rest INTEGER NOT NULL,\n  \
       PRIMARY KEY (tenant, width, begins, network, asset, status, code, took_ms)\n\
     ) STRICT, WITHOUT ROWID",
    "CREATE VIEW readable AS SELECT number, id, tenant, status, code, detail, network, \
     transaction_hash, payer, pay_to, asset, \
     ltrim(printf('%d%09d', amount_billions, amount_rest), '0') AS amount, method, url, \
     strftime('%FT%TZ', requested_at / 1000000000, 'unixepoch') AS requested, \
     strftime('%FT%TZ', decided_at / 1000000000, 'unixepoch') AS decided, \
     (decided_at - requested_at) / 1000000 AS took_ms, block_height, block_hash, \
     strftime('%FT%TZ', block_time / 1000000000, 'unixepoch') AS block, usage, \
     strftime('%FT%TZ', reserved_until / 1000000000, 'unixepoch') AS reserved, version, changed \
     FROM verifications",
];

/// The indexes that changes are found by; there from the first row on.
pub(super) const KEYS: &[&str] = &[
    "CREATE UNIQUE INDEX by_id ON verifications (id)",
    "CREATE INDEX resources_of ON resources (tenant, number)",
    "CREATE UNIQUE INDEX tallies_by_number ON tallies (number)",
];

/// The indexes of lists. Each ends in the order of lists, and so in the row's number; they are made
/// once all rows are there, which is quicker.
pub(super) const INDEXES: &[&str] = &[
    "CREATE INDEX by_time ON verifications (requested_at)",
    "CREATE INDEX by_tenant ON verifications (tenant, requested_at)",
    "CREATE INDEX by_status ON verifications (status, requested_at)",
    "CREATE INDEX by_tenant_status ON verifications (tenant, status, requested_at)",
    "CREATE INDEX by_asset ON verifications (asset, requested_at)",
    "CREATE INDEX by_payer ON verifications (payer, requested_at)",
    "CREATE INDEX by_pay_to ON verifications (pay_to, requested_at)",
    "CREATE INDEX by_url ON verifications (url, requested_at)",
    "CREATE INDEX by_transaction ON verifications (transaction_hash, requested_at)",
];

/// Everything that a whole file holds, as SQLite lists it.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    [TABLES, KEYS, INDEXES].into_iter().flatten().copied()
}
