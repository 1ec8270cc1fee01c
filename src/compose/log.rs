//! The event log of a process: sled in the data directory, or a database that replicas share.
//!
//! Everything that the port has is asked of the port; here is what only the process does with it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use ccd402_app::ports::log::{EventLog, Position, READ_EVENTS_MAX};
use ccd402_store::postgres::{Hints, Options as DatabaseOptions, PostgresLog};
use ccd402_store::sled::{Options as SledOptions, SledLog};
use ccd402_workers::lease::Leasing;
use futures::future::BoxFuture;

/// Memory of sled's page cache where nothing is said.
pub(crate) const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How long a process that died holds up what others could do in its place.
const LEASE_TERM: Duration = Duration::from_secs(5);

/// An open log.
#[derive(Clone)]
pub(crate) enum Log {
    /// In a directory of this process alone.
    Sled(SledLog),
    /// In a database; how far this process has checked it.
    Postgres(PostgresLog, Arc<AtomicU64>),
}

impl Log {
    /// Opens the one in a data directory, or begins it there.
    ///
    /// # Errors
    /// Where another process has it, or it is damaged.
    pub(crate) async fn in_dir(data_dir: &Path, cache_bytes: u64) -> anyhow::Result<Self> {
        let mut options = SledOptions::new(data_dir.join("log"));
        options.cache_bytes = cache_bytes;
        Ok(Self::Sled(SledLog::open(options).await?))
    }

    /// Opens the one in a database.
    ///
    /// # Errors
    /// Where it cannot be reached, or its schema is not this program's.
    pub(crate) async fn in_database(options: &DatabaseOptions) -> anyhow::Result<Self> {
        let log = PostgresLog::open(options).await.context("the event log is not opened")?;
        let head = *log.head().borrow();
        // Everything is checked while the server runs; a start looks at the newest lines only.
        let checked = AtomicU64::new(head.saturating_sub(READ_EVENTS_MAX as u64));
        Ok(Self::Postgres(log, Arc::new(checked)))
    }

    /// The port.
    pub(crate) fn port(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Sled(log) => Arc::new(log.clone()),
            Self::Postgres(log, _) => Arc::new(log.clone()),
        }
    }

    /// Whether others use it, too, and how what one of them does is told apart.
    pub(crate) fn leasing(&self) -> Leasing {
        match self {
            Self::Sled(_) => Leasing::Alone,
            Self::Postgres(log, _) => Leasing::Shared(Arc::new(log.leases(holder(), LEASE_TERM))),
        }
    }

    /// What processes tell each other by, where it is shared.
    pub(crate) fn hints(&self) -> Option<Hints> {
        match self {
            Self::Sled(_) => None,
            Self::Postgres(log, _) => Some(log.hints()),
        }
    }

    /// Whether a secret is the one that all have who use it.
    ///
    /// # Errors
    /// Where it cannot be asked.
    pub(crate) async fn shares_secret(
        &self,
        name: &str,
        fingerprint: &[u8; 32],
    ) -> anyhow::Result<bool> {
        match self {
            Self::Sled(_) => Ok(true),
            Self::Postgres(log, _) => Ok(log.shares_secret(name, fingerprint).await?),
        }
    }

    /// Where it ends.
    pub(crate) fn head(&self) -> Position {
        *self.port().head().borrow()
    }

    /// Resolves with the reason once it cannot be written any more.
    pub(crate) fn broken(&self) -> BoxFuture<'static, String> {
        match self {
            Self::Sled(log) => Box::pin(log.broken()),
            Self::Postgres(log, _) => Box::pin(log.broken()),
        }
    }

    /// Checks what was written since the last check; how far everything is good now.
    ///
    /// # Errors
    /// Names the bad position.
    pub(crate) async fn verify_new(&self) -> anyhow::Result<Position> {
        let (log, checked) = match self {
            Self::Sled(log) => return Ok(log.verify_new().await?.position()),
            Self::Postgres(log, checked) => (log, checked),
        };
        let head = self.head();
        let mut position = checked.load(Ordering::Relaxed);
        while position < head {
            position = log.check(position, READ_EVENTS_MAX).await?.position;
            checked.store(position, Ordering::Relaxed);
        }
        Ok(position)
    }

    /// Writes what waits, and lets it go.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sled(log) => log.close().await,
            Self::Postgres(log, _) => log.close().await,
        }
    }
}

/// This process, for people who look at leases.
fn holder() -> String {
    let machine = rustix::system::uname();
    format!("{} {}", machine.nodename().to_string_lossy(), std::process::id())
}
