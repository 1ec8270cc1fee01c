//! A file of rows that is being built: written without regard to power loss, which only a file that
//! somebody reads is worth; whole once it is finished.
//!
//! Which file is read, and when this one takes its place, is not decided here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{Checkpoint, ReadModelError as Error};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};

use super::write::{self, BEGINNING};
use super::{failure, schema};

/// Memory for the pages of a file that is built, in KiB.
const CACHE_KIB: i64 = 128 * 1024;

/// A file that rows are written into, from the first event on. Dropped before it is finished, it is
/// removed.
pub struct RowFile {
    connection: SqliteConnection,
    checkpoint: Checkpoint,
    unfinished: Unfinished,
}

/// Removes a file that nobody has finished.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = remove(&path)
        {
            tracing::warn!(%error, "a file of rows that is of no use could not be removed");
        }
    }
}

impl RowFile {
    /// Begins a file; one that is there already is lost.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn create(path: &Path) -> Result<Self, Error> {
        remove(path)?;
        let unfinished = Unfinished(Some(path.to_owned()));
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .locking_mode(SqliteLockingMode::Exclusive)
            .pragma("cache_size", (-CACHE_KIB).to_string());
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failure)?;
        for &statement in schema::TABLES.iter().chain(schema::KEYS) {
            sqlx::raw_sql(statement).execute(&mut connection).await.map_err(failure)?;
        }
        sqlx::query("INSERT INTO checkpoint VALUES (1, 0, ?1)")
            .bind(BEGINNING.event.to_string())
            .execute(&mut connection)
            .await
            .map_err(failure)?;
        Ok(Self { connection, checkpoint: BEGINNING, unfinished })
    }

    /// The newest event that is in it.
    #[must_use]
    pub fn position(&self) -> Position {
        self.checkpoint.position
    }

    /// Takes events that follow.
    ///
    /// # Errors
    /// Where they do not follow, or cannot be written: the file is of no use then.
    pub async fn apply(&mut self, events: &[Recorded]) -> Result<(), Error> {
        self.checkpoint = write::apply(&mut self.connection, self.checkpoint, events).await?;
        Ok(())
    }

    /// Makes the indexes, and the file durable.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn finish(mut self) -> Result<(), Error> {
        for &statement in schema::INDEXES {
            sqlx::raw_sql(statement).execute(&mut self.connection).await.map_err(failure)?;
        }
        sqlx::raw_sql("PRAGMA journal_mode = DELETE")
            .execute(&mut self.connection)
            .await
            .map_err(failure)?;
        self.connection.close().await.map_err(failure)?;
        let Some(path) = &self.unfinished.0 else { return Ok(()) };
        File::open(path).and_then(|file| file.sync_all()).map_err(io(path))?;
        self.unfinished.0 = None;
        Ok(())
    }

    /// To read what is in it already.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Puts a finished file that nobody has open in the place of another.
pub(super) fn replace(finished: &Path, path: &Path) -> Result<(), Error> {
    // What the old file's last changes were kept in must not be taken for the new one's.
    remove(path)?;
    fs::rename(finished, path).map_err(io(path))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))
}

/// Removes a file and what SQLite keeps beside it, if they are there.
pub fn remove(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(Path::new(&name))(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |error| Error::Failed(format!("{}: {error}", path.display()))
}
