//! The file that is read: one connection that writes, a few that read, write-ahead logging between
//! them.
//!
//! A start checks it. What is not whole, not of this version, or has no checkpoint is refused as
//! damaged; building it again is for whoever asked.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{Checkpoint, ReadModelError as Error};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use tokio::sync::Mutex;

use super::codec::{get, number, parse};
use super::{failure, schema, write};

/// Questions that are answered at once.
const READERS: u32 = 4;
/// Longest that a question waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(5);
/// Longest that the answer to one may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longest that SQLite waits for a lock of another program.
const LOCK_MAX: Duration = Duration::from_secs(5);
/// Steps of SQLite between two looks at the time.
const STEPS: i32 = 50_000;
/// Memory for the pages that are written, in KiB.
const CACHE_KIB: i64 = 64 * 1024;
/// Pages of the log before the file that are written into the file together: 32 MiB. Each time the
/// file is synced, and the event log waits for the same disk.
const WAL_PAGES: u32 = 8 * 1024;

/// An open file.
pub(super) struct Live {
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

struct Writer {
    connection: SqliteConnection,
    checkpoint: Checkpoint,
}

/// A question's own view of the file, which stays as it is until it is dropped.
pub(super) struct View {
    pub(super) transaction: Transaction<'static, Sqlite>,
    pub(super) as_of: Position,
}

impl Live {
    /// Opens a file that is there, and checks all of it.
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let mut live = Self::open_new(path).await?;
        check(&mut live.writer.get_mut().connection).await?;
        Ok(live)
    }

    /// Opens a file that was finished just now: nobody waits for a check of what was written a
    /// moment ago.
    pub(super) async fn open_new(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(LOCK_MAX)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let writing = options
            .clone()
            .pragma("cache_size", (-CACHE_KIB).to_string())
            .pragma("wal_autocheckpoint", WAL_PAGES.to_string());
        let mut connection = SqliteConnection::connect_with(&writing).await.map_err(failure)?;
        let checkpoint = checkpoint(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(TURN_MAX)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer: Mutex::new(Writer { connection, checkpoint }), readers })
    }

    pub(super) async fn checkpoint(&self) -> Checkpoint {
        self.writer.lock().await.checkpoint
    }

    /// Takes events that follow; the newest that is in it then.
    pub(super) async fn apply(&self, events: &[Recorded]) -> Result<Position, Error> {
        let mut writer = self.writer.lock().await;
        let Writer { connection, checkpoint } = &mut *writer;
        *checkpoint = write::apply(connection, *checkpoint, events).await?;
        Ok(checkpoint.position)
    }

    /// A view of it as it is now, for one question that takes no longer than it may.
    pub(super) async fn view(&self) -> Result<View, Error> {
        let mut transaction = self.readers.begin().await.map_err(failure)?;
        let until = Instant::now() + ANSWER_MAX;
        let mut handle = transaction.lock_handle().await.map_err(failure)?;
        handle.set_progress_handler(STEPS, move || Instant::now() < until);
        drop(handle);
        let as_of = checkpoint(&mut transaction).await?.position;
        Ok(View { transaction, as_of })
    }

    /// Closes it; nobody else may have it open.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.readers.close().await;
        self.writer.into_inner().connection.close().await.map_err(failure)
    }
}

async fn check(connection: &mut SqliteConnection) -> Result<(), Error> {
    let found = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut *connection).await;
    let found = found.map_err(failure)?;
    let found = get::<&str>(&found, 0)?;
    if found != "ok" {
        return Err(Error::Damaged(found.to_owned()));
    }
    let kept = sqlx::query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .fetch_all(connection)
        .await
        .map_err(failure)?;
    let kept = kept.iter().map(|row| get(row, 0)).collect::<Result<BTreeSet<&str>, _>>()?;
    if kept != schema::all().collect() {
        return Err(Error::Damaged("its tables are not those of this version".to_owned()));
    }
    Ok(())
}

pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<Checkpoint, Error> {
    let query = sqlx::query("SELECT position, event FROM checkpoint");
    let row = query.fetch_one(connection).await.map_err(failure)?;
    Ok(Checkpoint { position: number(&row, 0)?, event: parse(&row, 1)? })
}
