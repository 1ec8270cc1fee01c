//! What can go wrong with the log's files. Conflicts between appends are the port's `AppendError`.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use ccd402_app::ports::log::{CheckError, Position, ReadError};

/// The log cannot be opened, read or closed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Somebody else has the directory open.
    #[error(
        "the log in {} is open in another process: stop that one first, or give this one a \
         directory of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// sled failed.
    #[error("sled: {0}")]
    Sled(#[from] ::sled::Error),
    /// sled met something that it never expected, as it does in damaged files.
    #[error("sled panicked: {0}")]
    Panicked(String),
    /// An event that is missing, changed, or not what its place says.
    #[error("the log is damaged at position {position}: {reason}")]
    Damaged {
        /// The first bad position.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// The log ends before events that were durable once.
    #[error(
        "the log in {} ends at position {found}, but position {marked} was durable: its files \
         are damaged. Keep a copy of the directory, then put a backup of it in its place",
        dir.display()
    )]
    Shortened {
        /// The log's directory.
        dir: PathBuf,
        /// Where it ends.
        found: Position,
        /// Where it must not end before.
        marked: Position,
    },
    /// The files cannot be opened, not even without sled's snapshots.
    #[error(
        "the log in {} cannot be opened: {reason}. Nothing was deleted; snapshots that were in the \
         way are in {} if it exists. Keep a copy of the directory, then put a backup of it in its \
         place",
        dir.display(),
        aside.display()
    )]
    Unopenable {
        /// The log's directory.
        dir: PathBuf,
        /// Where files were moved to.
        aside: PathBuf,
        /// What sled said.
        reason: String,
    },
    /// The disk takes longer than any that works.
    #[error(
        "the disk has not made a batch durable within {0:?}: see what the system says of it, then \
         start again"
    )]
    NotDurable(Duration),
    /// The system gives no thread to the one who appends.
    #[error("no thread can be started that appends: {0}; see the limits of the process")]
    Thread(io::Error),
    /// The database failed, refused, or could not be reached. Its text says all of its causes.
    #[error("PostgreSQL: {0}")]
    Postgres(Box<sqlx::Error>),
    /// The database did not answer.
    #[error("PostgreSQL has not answered within {0:?}")]
    Unanswered(Duration),
    /// The URL of the database is none. It may hold a password, so it is not shown.
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    /// The database holds no log, or an older one.
    #[error(
        "the database's schema is at version {found}, and this program needs {needed}: run \
         `ccd402 migrate`"
    )]
    SchemaOld {
        /// The newest migration that the database has had; 0 for none.
        found: i64,
        /// The newest that this program knows.
        needed: i64,
    },
    /// The database was migrated by a newer program.
    #[error(
        "the database's schema is at version {found}, and this program knows none after {known}: \
         run the program that migrated it, or a newer one. `ccd402 migrate` does not go back"
    )]
    SchemaNew {
        /// The newest migration that the database has had.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated: {0}")]
    Migration(String),
    /// The database may acknowledge what a crash loses.
    #[error(
        "the database has synchronous_commit = off, with which it loses what it has acknowledged: \
         set it to on for this role and database"
    )]
    NotSynchronous,
    /// The database ends before events that were durable once, or holds others there.
    #[error(
        "the database's log is at position {found}, but position {known} was durable, or other \
         events stand there: it was restored from a backup, or a standby that was behind took \
         over. Stop every process that uses it, then see the runbook"
    )]
    Receded {
        /// Where it ends.
        found: Position,
        /// Where it must not end before.
        known: Position,
    },
    /// Somebody else uses the database.
    #[error("facilitators are connected to the database: stop all of them first")]
    Shared,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl Error {
    pub(crate) fn damaged(position: Position, reason: impl Into<String>) -> Self {
        Self::Damaged { position, reason: reason.into() }
    }

    /// Runs something of sled's, which panics where its files are damaged.
    pub(crate) fn catch<R>(run: impl FnOnce() -> Result<R, Self>) -> Result<R, Self> {
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Self::Panicked(text.unwrap_or("it did not say why").to_owned()))
        })
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for CheckError {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged { position, reason } => Self::Damaged { position, reason },
            other => Self::Read(other.into()),
        }
    }
}
