//! Opening the file of jobs: its settings, what a process that was killed left in it, and what is done
//! where it is broken.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apalis_sqlite::SqliteStorage;
use ccd402_app::ports::queue::QueueError;
use chrono::Utc;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::watch;

use crate::queue::sqlite::SqliteQueue;
use crate::queue::{WAITING_MAX, unavailable};

/// How long a statement waits for another process that looks into the file.
const BUSY: Duration = Duration::from_secs(5);
/// Memory that the file's pages may take: all jobs that may wait need no more.
const CACHE_KIB: u32 = 16 * 1024;
/// How an error begins that a check of the file has found.
const BROKEN: &str = "the file is broken";

impl SqliteQueue {
    /// Opens the file, making it where it is missing. Jobs that a killed process held wait again. A
    /// file that is broken is moved aside: what it held is derived from the log again.
    ///
    /// # Errors
    /// Where the file cannot be used.
    pub async fn open(path: &Path) -> Result<Self, QueueError> {
        match Self::try_open(path).await {
            Err(error) if is_broken(&error) => {
                let aside =
                    path.with_extension(format!("broken-{}", Utc::now().timestamp_millis()));
                tracing::error!(%error, aside = %aside.display(), "the file of jobs is broken");
                for end in ["", "-wal", "-shm"] {
                    let part = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
                    if part(path).exists() {
                        std::fs::rename(part(path), part(&aside)).map_err(unavailable)?;
                    }
                }
                Self::try_open(path).await.map_err(unavailable)
            }
            opened => opened.map_err(unavailable),
        }
    }

    async fn try_open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let sound: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await?;
        if sound != "ok" {
            return Err(sqlx::Error::Protocol(format!("{BROKEN}: {sound}")));
        }
        SqliteStorage::setup(&pool)
            .await
            .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        let pushed = Arc::new(watch::Sender::new(0));
        let queue = Self { pool, waiting_max: WAITING_MAX, pushed };
        queue.prepare().await?;
        Ok(queue)
    }

    async fn prepare(&self) -> Result<(), sqlx::Error> {
        // apalis' setup has turned durability off on its connection, and taken 250 MiB for its cache.
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&self.pool).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA cache_size = -{CACHE_KIB}")))
            .execute(&self.pool)
            .await?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for statement in [
            "CREATE TABLE IF NOT EXISTS Checkpoints (name TEXT PRIMARY KEY, position INTEGER NOT NULL)",
            "UPDATE Jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL \
             WHERE status IN ('Queued', 'Running')",
            "DELETE FROM Jobs WHERE status = 'Done'",
            "DELETE FROM Workers WHERE NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)",
        ] {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}

/// Whether an error says that the file is none of SQLite's, or was damaged.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("11" | "26")),
        sqlx::Error::Protocol(said) => said.starts_with(BROKEN),
        _ => false,
    }
}
