//! The log of many processes: PostgreSQL, or an engine that speaks its protocol, shared by replicas
//! each of which appends and reads.
//!
//! The database decides: the head's row is locked by whoever appends, and moves in the transaction of
//! its events, so positions have no gap and no reader misses one. What a replica keeps in memory is
//! how far it has seen. Leases lie beside it; what is done under them is not decided here.

mod batch;
mod connect;
mod facts;
pub mod import;
mod lease;
mod number;
mod open;
mod read;
mod read_model;
mod rows;
mod schema;
mod secret;
mod status;
mod tailer;
mod writer;

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod lease_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod replicas_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{
    Append, AppendError, CheckError, Checked, EventLog, Position, READ_EVENTS_MAX, ReadError,
    Recorded, StreamId, Waiting,
};
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;
use sqlx::postgres::PgPool;
use tokio::sync::{Notify, watch};

use self::connect::retry;
pub use self::lease::PostgresLeases;
pub use self::read_model::PostgresReadModel;
pub use self::schema::{Migrated, migrate};
use self::status::Status;
use crate::error::Error;
use crate::queue::Queue;

/// Where the log is, and how much of the database this replica may use.
#[derive(Clone)]
pub struct Options {
    /// `postgres://user:password@host:port/database?sslmode=…`: a secret.
    pub url: String,
    /// Connections of this replica, beside the one that appends; 8 by default, never under 2.
    pub connections_max: u32,
    /// Appends that may wait for the writer before it is busy; 4,096 by default.
    pub queue_appends_max: usize,
    /// What these may weigh in bytes; 64 MiB by default, never less than one append may weigh.
    pub queue_bytes_max: usize,
    /// Longest time between two looks for what others have appended; 200 ms by default.
    pub poll: Duration,
    /// How long a database that does not answer is tried again; 10 seconds by default.
    pub retry_max: Duration,
    /// Whether replicas tell each other of appends by the database's notifications; they do by
    /// default. Without, somebody else should: see [`Hints`].
    pub notifies: bool,
}

impl Options {
    /// The defaults, in a database.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections_max: 8,
            queue_appends_max: 4_096,
            queue_bytes_max: 64 * 1024 * 1024,
            poll: Duration::from_millis(200),
            retry_max: Duration::from_secs(10),
            notifies: true,
        }
    }
}

impl fmt::Debug for Options {
    /// Without the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connections_max", &self.connections_max)
            .field("queue_appends_max", &self.queue_appends_max)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("poll", &self.poll)
            .field("retry_max", &self.retry_max)
            .field("notifies", &self.notifies)
            .finish_non_exhaustive()
    }
}

/// The log in a database, as one replica sees it. Clones are handles of the same replica.
#[derive(Clone)]
pub struct PostgresLog {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    queue: Queue,
    status: Arc<Status>,
    retry_max: Duration,
    hints: Hints,
}

/// For whoever lets replicas know of each other's appends sooner than by looking now and then. Nothing
/// rests on it.
#[derive(Clone, Default)]
pub struct Hints {
    /// Told after this replica has appended. One may wait for it.
    pub appended: Arc<Notify>,
    /// To be told when another has: this replica looks at once.
    pub look: Arc<Notify>,
}

impl PostgresLog {
    /// Opens the log of a database whose schema is up to date.
    ///
    /// # Errors
    /// Where the database cannot be reached, its schema is older or newer than this program's, or it
    /// does not make durable what it acknowledges.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        open::open(options).await
    }

    /// What replicas tell each other by, where the database does not.
    #[must_use]
    pub fn hints(&self) -> Hints {
        self.shared.hints.clone()
    }

    /// Resolves with the reason once the log cannot be written any more: the process must stop.
    pub fn broken(&self) -> impl Future<Output = String> + Send + 'static {
        self.shared.status.load.broken()
    }

    /// Writes what waits, then closes the connections. Later calls fail; clones are closed too.
    pub async fn close(&self) {
        self.shared.queue.close().await;
        self.shared.status.tail.clear();
    }

    /// Positions after this one are not shown yet, as the port has it.
    fn position(&self) -> Position {
        self.shared.status.known().tip.position
    }

    async fn read<R, F>(&self, read: impl FnMut() -> F) -> Result<R, Error>
    where
        F: Future<Output = Result<R, Error>>,
    {
        retry(self.shared.retry_max, read).await
    }
}

#[async_trait]
impl EventLog for PostgresLog {
    /// An append that was handed over happens even if its caller stops waiting for it.
    async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        self.shared.queue.append(fence.cloned(), appends).await
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::stream(pool, stream, after)).await?)
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<Recorded>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::last(pool, stream)).await?)
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, ReadError> {
        let (pool, head) = (&self.shared.pool, self.position());
        if let Some(events) = self.shared.status.tail.after(after, max.min(READ_EVENTS_MAX)) {
            return Ok(events);
        }
        Ok(self.read(|| read::all(pool, head, after, max)).await?)
    }

    async fn versions(&self, streams: &[StreamId]) -> Result<Vec<u64>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::versions(pool, streams)).await?)
    }

    async fn read_lines(&self, after: Position, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let (pool, head) = (&self.shared.pool, self.position());
        Ok(self.read(|| read::lines(pool, head, after, max)).await?)
    }

    async fn check(&self, after: Position, max: usize) -> Result<Checked, CheckError> {
        let (pool, head) = (&self.shared.pool, self.position());
        Ok(self.read(|| read::checked(pool, head, after, max)).await?)
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.shared.status.head()
    }

    async fn claim_owner(
        &self,
        network: &NetworkId,
        transaction: TransactionHash,
    ) -> Result<Option<VerificationId>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::claim_owner(pool, network, transaction)).await?)
    }

    async fn waiting_for(
        &self,
        network: &NetworkId,
        transactions: &[TransactionHash],
    ) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::waiting_for(pool, network, transactions)).await?)
    }

    async fn waiting(
        &self,
        network: &NetworkId,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<Vec<Waiting>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::waiting(pool, network, after, max)).await?)
    }

    fn waiting_count(&self) -> u64 {
        self.shared.status.waiting()
    }

    fn waiting_of(&self, tenant: &TenantId) -> u64 {
        self.shared.status.waiting_of(tenant)
    }

    async fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        max: usize,
    ) -> Result<Vec<StreamId>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::streams(pool, prefix, after, max)).await?)
    }

    async fn attachment(&self, stream: &StreamId) -> Result<Option<Vec<u8>>, ReadError> {
        let pool = &self.shared.pool;
        Ok(self.read(|| read::attachment(pool, stream)).await?)
    }
}
