//! The log of one process: sled 0.34 in a directory, one writer thread, every append durable.
//!
//! sled's own `flush` does not survive power loss on Linux, so the file is synced here before
//! anything is acknowledged. There is no replication here: the directory is the log.

mod audit;
mod disk;
pub mod import;
mod open;
mod reindex;
mod syncer;
mod writer;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
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
use tokio::sync::watch;

use crate::envelope::Chain;
use crate::error::Error;
use crate::prepare::must_be_unfenced;
use crate::queue::{Load, Queue};
use crate::tail::Tail;
use crate::waits::Waits;
use crate::{check, read};
use disk::Waited;

/// Events of a stream that are read on the caller's thread; more go to the blocking pool.
const INLINE_EVENTS_MAX: usize = 16;

/// Lines that are worth another thread to check.
const CHECK_APART_MIN: usize = 256;

/// Where the log is kept, and how much of the machine it may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// The log's directory; created where it is missing.
    pub dir: PathBuf,
    /// Memory of sled's page cache in bytes; 64 MiB by default.
    pub cache_bytes: u64,
    /// Appends that may wait for the writer before it is busy; 4,096 by default.
    pub queue_appends_max: usize,
    /// What these may weigh in bytes; 64 MiB by default, never less than one append may weigh.
    pub queue_bytes_max: usize,
    /// Longest that the disk may take for a batch before the log is broken; 30 seconds by default.
    pub sync_max: Duration,
    /// Whether to rebuild the indexes from the events at opening, which says whether they agreed.
    pub rebuild_indexes: bool,
}

impl Options {
    /// The defaults, in a directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            cache_bytes: 64 * 1024 * 1024,
            queue_appends_max: 4_096,
            queue_bytes_max: 64 * 1024 * 1024,
            sync_max: Duration::from_secs(30),
            rebuild_indexes: false,
        }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opened {
    /// Snapshots of sled that could not be read, where they were moved to.
    pub set_aside: Vec<PathBuf>,
    /// Present where the indexes were rebuilt: whether they had agreed with the events.
    pub indexes_agreed: Option<bool>,
}

/// The log in a directory. Clones are handles of the same log.
#[derive(Clone)]
pub struct SledLog {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    queue: Queue,
    status: Arc<Status>,
    opened: Opened,
    /// Taken out when the log is closed; readers hold it while they read.
    files: RwLock<Option<Files>>,
}

/// The open directory.
#[derive(Clone)]
struct Files {
    db: ::sled::Db,
    /// Unlocks the directory; declared last, so that it goes after the database.
    _lock: Arc<File>,
}

/// What writer and handles tell each other.
struct Status {
    head: watch::Sender<Position>,
    load: Arc<Load>,
    waits: Waits,
    /// How long the disk takes just now.
    waited: Waited,
    tail: Tail,
    /// A batch is being applied: whoever reads now waits for it.
    is_applying: AtomicBool,
}

impl SledLog {
    /// Opens the log of a directory, or begins one there.
    ///
    /// # Errors
    /// Where somebody else has it open, or it is damaged: the error says what to do.
    pub async fn open(options: Options) -> Result<Self, Error> {
        Self::open_with(options, Box::new(open::sync_data)).await
    }

    async fn open_with(options: Options, sync: open::MakeSync) -> Result<Self, Error> {
        blocking(move || open::open(&options, sync)).await
    }

    /// What opening found and did.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.shared.opened
    }

    /// Resolves with the reason once the log cannot be written any more: the process must stop.
    pub fn broken(&self) -> impl Future<Output = String> + Send + 'static {
        self.shared.status.load.broken()
    }

    /// Checks every hash and link after a position up to the head.
    ///
    /// # Errors
    /// Names the first bad position.
    pub async fn verify(&self, after: Position) -> Result<Chain, Error> {
        self.read_blocking(move |db, head| check::verify(&**db, after..head.max(after))).await
    }

    /// Writes what waits, then closes the files and unlocks the directory. Later calls fail; clones
    /// are closed too. A log that is broken is closed without writing anything.
    pub async fn close(&self) {
        self.shared.queue.close().await;
        let shared = Arc::clone(&self.shared);
        let closing = blocking(move || {
            drop(shared.files.write().unwrap_or_else(PoisonError::into_inner).take());
            shared.status.tail.clear();
            Ok(())
        });
        if let Err(error) = closing.await {
            tracing::warn!(%error, "The log's files were not closed in good order.");
        }
    }

    fn read<R>(
        &self,
        read: impl FnOnce(&::sled::Db, Position) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.shared.read(read)
    }

    async fn read_blocking<R: Send + 'static>(
        &self,
        read: impl FnOnce(&::sled::Db, Position) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.read(read)).await
    }

    /// On this thread while no batch is being applied, else where waiting for it harms nobody.
    async fn read_point<R: Send + 'static>(
        &self,
        read: impl FnOnce(&::sled::Db, Position) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        if self.shared.status.is_applying.load(Ordering::Relaxed) {
            self.read_blocking(read).await
        } else {
            self.read(read)
        }
    }
}

/// Runs on the pool of threads that may block.
async fn blocking<R: Send + 'static>(
    run: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    let done = tokio::task::spawn_blocking(move || Error::catch(run)).await;
    // Panics are caught: what is left is a runtime that shuts down.
    done.unwrap_or(Err(Error::Closed))
}

impl Status {
    fn stop(&self, error: &Error) {
        tracing::error!(%error, "The log cannot be written any more; the process must stop.");
        self.load.stop(error.to_string());
    }
}

impl Shared {
    fn read<R>(
        &self,
        read: impl FnOnce(&::sled::Db, Position) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let head = *self.status.head.borrow();
        let db = &files.as_ref().ok_or(Error::Closed)?.db;
        Error::catch(|| read(db, head))
    }
}

#[async_trait]
impl EventLog for SledLog {
    /// An append that was handed over happens even if its caller stops waiting for it.
    async fn append_under(
        &self,
        fence: Option<&Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        must_be_unfenced(fence)?;
        self.shared.queue.append(None, appends).await
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, ReadError> {
        if let Some(events) = self.shared.status.tail.stream(stream, after) {
            return Ok(events);
        }
        let name = stream.clone();
        let first = self
            .read_point(move |db, head| {
                read::stream(&**db, head, (&name, after), INLINE_EVENTS_MAX)
            })
            .await?;
        if first.len() < INLINE_EVENTS_MAX {
            return Ok(first);
        }
        let (name, after) = (stream.clone(), after + first.len() as u64);
        let max = READ_EVENTS_MAX - first.len();
        let rest = self
            .read_blocking(move |db, head| read::stream(&**db, head, (&name, after), max))
            .await?;
        Ok(first.into_iter().chain(rest).collect())
    }

    async fn read_last(&self, stream: &StreamId) -> Result<Option<Recorded>, ReadError> {
        if let Some(last) = self.shared.status.tail.last(stream) {
            return Ok(Some(last));
        }
        let stream = stream.clone();
        Ok(self.read_point(move |db, head| read::last(&**db, head, &stream)).await?)
    }

    async fn read_all(&self, after: Position, max: usize) -> Result<Vec<Recorded>, ReadError> {
        if let Some(events) = self.shared.status.tail.after(after, max.min(READ_EVENTS_MAX)) {
            return Ok(events);
        }
        Ok(self.read_blocking(move |db, head| read::all(&**db, head, after, max)).await?)
    }

    async fn versions(&self, streams: &[StreamId]) -> Result<Vec<u64>, ReadError> {
        let streams = streams.to_vec();
        Ok(self.read_point(move |db, head| read::versions(&**db, head, &streams)).await?)
    }

    async fn read_lines(&self, after: Position, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.read_blocking(move |db, head| read::lines(&**db, head, after, max)).await?)
    }

    async fn check(&self, after: Position, max: usize) -> Result<Checked, CheckError> {
        let check =
            |after, max| self.read_blocking(move |db, head| check::check(&**db, head, after, max));
        let half = max.min(READ_EVENTS_MAX) / 2;
        let between = after.saturating_add(half as u64);
        if half < CHECK_APART_MIN || between >= *self.shared.status.head.borrow() {
            return Ok(check(after, max).await?);
        }
        // The second half takes the line between for good, and that is the first half's to check.
        let (first, second) = tokio::join!(check(after, half), check(between, half));
        first?;
        Ok(second?)
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.shared.status.head.subscribe()
    }

    async fn claim_owner(
        &self,
        network: &NetworkId,
        transaction: TransactionHash,
    ) -> Result<Option<VerificationId>, ReadError> {
        let network = network.clone();
        let read =
            move |db: &::sled::Db, head| read::claim_owner(&**db, head, &network, transaction);
        Ok(self.read_point(read).await?)
    }

    async fn waiting_for(
        &self,
        network: &NetworkId,
        transactions: &[TransactionHash],
    ) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, ReadError> {
        let (network, transactions) = (network.clone(), transactions.to_vec());
        let read =
            move |db: &::sled::Db, head| read::waiting_for(&**db, head, &network, &transactions);
        Ok(self.read_blocking(read).await?)
    }

    async fn waiting(
        &self,
        network: &NetworkId,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<Vec<Waiting>, ReadError> {
        let network = network.clone();
        let read = move |db: &::sled::Db, head| {
            read::waiting(&**db, head, (&network, after.as_ref()), max)
        };
        Ok(self.read_blocking(read).await?)
    }

    fn waiting_count(&self) -> u64 {
        self.shared.status.waits.total()
    }

    fn waiting_of(&self, tenant: &TenantId) -> u64 {
        self.shared.status.waits.of(tenant)
    }

    async fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        max: usize,
    ) -> Result<Vec<StreamId>, ReadError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        let read =
            move |db: &::sled::Db, head| read::streams(&**db, head, (&prefix, after.as_ref()), max);
        Ok(self.read_blocking(read).await?)
    }

    async fn attachment(&self, stream: &StreamId) -> Result<Option<Vec<u8>>, ReadError> {
        let stream = stream.clone();
        Ok(self.read_point(move |db, _| read::attachment(&**db, &stream)).await?)
    }
}
