//! The tables of the read model, as ops/read-model.md documents them for people.
//!
//! Every build has tables of its own, named by the projection's version and the build. They are
//! never migrated: a change here raises the projection's version, and they are built anew. When
//! they are made, and dropped, is not decided here.

pub(super) use crate::flat::{COLUMNS, RESOURCE_COLUMNS};

/// Which builds there are, whether each is read or will be, how far it has come, and until when it
/// is kept though nobody reads it; of each version, which build is read, and in whose place
/// somebody wishes for another. Made by whoever builds, where they are not there.
///
/// The builds' comes last: where it is there, all are. Programs of all versions share these tables:
/// they are never changed.
pub(super) const CATALOG: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS read_model (\
       version int PRIMARY KEY, \
       build text COLLATE \"C\" NOT NULL)",
    "CREATE TABLE IF NOT EXISTS read_model_wish (\
       version int PRIMARY KEY, \
       build text COLLATE \"C\" NOT NULL)",
    "CREATE TABLE IF NOT EXISTS read_model_build (\
       build text COLLATE \"C\" PRIMARY KEY, \
       version int NOT NULL, \
       to_read boolean NOT NULL, \
       position bigint NOT NULL, \
       event uuid NOT NULL, \
       kept_until timestamptz NOT NULL)",
];

/// Name and columns of each table of a build. Texts that somebody else has written are bytes: they
/// may hold what `text` refuses, whatever the database's encoding is.
const TABLES: [(&str, &str); 4] = [
    (
        "verifications",
        "number bigint PRIMARY KEY, \
         id uuid NOT NULL, \
         tenant text COLLATE \"C\" NOT NULL, \
         network text COLLATE \"C\" NOT NULL, \
         transaction_hash bytea NOT NULL, \
         payer text COLLATE \"C\" NOT NULL, \
         pay_to text COLLATE \"C\" NOT NULL, \
         asset text COLLATE \"C\" NOT NULL, \
         amount_billions bigint NOT NULL, \
         amount_rest bigint NOT NULL, \
         method text COLLATE \"C\" NOT NULL, \
         url bytea NOT NULL, \
         requested_at bigint NOT NULL, \
         version bigint NOT NULL, \
         changed bigint NOT NULL, \
         status text COLLATE \"C\" NOT NULL, \
         code text COLLATE \"C\", \
         detail bytea, \
         block_height bigint, \
         block_hash bytea, \
         block_time bigint, \
         decided_at bigint, \
         usage text COLLATE \"C\" NOT NULL, \
         reserved_until bigint",
    ),
    (
        "resources",
        "number bigint PRIMARY KEY, \
         tenant text COLLATE \"C\" NOT NULL, \
         method text COLLATE \"C\" NOT NULL, \
         url bytea NOT NULL, \
         updated_at bigint NOT NULL, \
         x402_version bigint NOT NULL, \
         description bytea, \
         mime_type text COLLATE \"C\", \
         max_timeout_seconds bigint NOT NULL, \
         terms text NOT NULL, \
         UNIQUE (tenant, method, url)",
    ),
    ("waiting", "id uuid PRIMARY KEY, candidate bytea NOT NULL"),
    (
        "tallies",
        "tenant text COLLATE \"C\" NOT NULL, \
         width bigint NOT NULL, \
         begins bigint NOT NULL, \
         network text COLLATE \"C\" NOT NULL, \
         asset text COLLATE \"C\" NOT NULL, \
         status text COLLATE \"C\" NOT NULL, \
         code text COLLATE \"C\" NOT NULL, \
         took_ms bigint NOT NULL, \
         number bigint NOT NULL, \
         spelled text COLLATE \"C\" NOT NULL, \
         count bigint NOT NULL, \
         amount_billions bigint NOT NULL, \
         amount_rest bigint NOT NULL, \
         PRIMARY KEY (tenant, width, begins, network, asset, status, code, took_ms)",
    ),
];

/// The indexes that changes are found by; there from the first row on. Name, table, columns.
const KEYS: [(&str, &str, &str); 3] = [
    ("by_id", "verifications", "id"),
    ("resources_of", "resources", "tenant, number"),
    ("tallies_by_number", "tallies", "number"),
];

/// How the time is called by which all rows are listed, and by nobody else: their index is not
/// taken for one of those that leave fewer rows.
pub(super) const TIME_OF_ALL: &str = "(requested_at + 0)";

/// The indexes of lists, each in the order of lists. They are made once all rows are there, which
/// is quicker.
const INDEXES: [(&str, &str); 10] = [
    ("by_time", "(requested_at + 0), number"),
    ("by_transaction", "transaction_hash, requested_at, number"),
    ("by_url", "url, requested_at, number"),
    ("by_payer", "payer, requested_at, number"),
    ("by_pay_to", "pay_to, requested_at, number"),
    ("by_tenant_status", "tenant, status, requested_at, number"),
    ("by_tenant", "tenant, requested_at, number"),
    ("by_status", "status, requested_at, number"),
    ("by_asset", "lower(asset), requested_at, number"),
    ("by_network", "network, requested_at, number"),
];

/// A build, which its tables are named by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) version: u32,
    pub(super) id: String,
}

impl Build {
    /// A new one, of a name that nobody has used: names of tables must not come back.
    pub(super) fn new(version: u32) -> Self {
        Self { version, id: format!("{:016x}", rand::random::<u64>()) }
    }

    /// One that the database names; `None` for a name that is none of ours, and no part of a
    /// statement.
    pub(super) fn named(version: u32, id: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_ours = id.len() == 16 && id.bytes().all(is_digit);
        is_ours.then(|| Self { version, id: id.to_owned() })
    }

    /// What one of its tables, or indexes, is called.
    pub(super) fn table(&self, name: &str) -> String {
        format!("rm{}_{}_{name}", self.version, self.id)
    }

    /// Statements that make its tables, and what changes are found by.
    pub(super) fn create(&self) -> impl Iterator<Item = String> + '_ {
        let tables = TABLES
            .iter()
            .map(|(name, columns)| format!("CREATE TABLE {} ({columns})", self.table(name)));
        let keys = KEYS.iter().map(|(name, table, columns)| {
            let unique = if *name == "resources_of" { "" } else { "UNIQUE " };
            let (name, table) = (self.table(name), self.table(table));
            format!("CREATE {unique}INDEX {name} ON {table} ({columns})")
        });
        tables.chain(keys)
    }

    /// Statements that leave room beside each row for what becomes of it: its next version needs no
    /// new entries in the indexes then. An engine that knows no such thing may refuse them.
    pub(super) fn advise(&self) -> impl Iterator<Item = String> + '_ {
        ["verifications", "tallies"]
            .into_iter()
            .map(|name| format!("ALTER TABLE {} SET (fillfactor = 60)", self.table(name)))
    }

    /// Statements that make the indexes of lists; each may be said again.
    pub(super) fn index(&self) -> impl Iterator<Item = String> + '_ {
        INDEXES.iter().map(|(name, columns)| {
            let (name, table) = (self.table(name), self.table("verifications"));
            format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})")
        })
    }

    /// Statements that tell the planner what the tables hold: advice, too.
    pub(super) fn analyze(&self) -> impl Iterator<Item = String> + '_ {
        TABLES.iter().map(|(name, _)| format!("ANALYZE {}", self.table(name)))
    }

    /// Statements that drop all of it; each may be said again.
    pub(super) fn drop(&self) -> impl Iterator<Item = String> + '_ {
        TABLES.iter().map(|(name, _)| format!("DROP TABLE IF EXISTS {}", self.table(name)))
    }
}
