//! The job queue in a SQLite file of its own, through apalis-sqlite: the embedded default.
//!
//! apalis fetches jobs, keeps its workers' heartbeats and takes back the jobs of those that are gone.
//! Queueing, settling and looking are statements on its table here, because apalis offers none that
//! are idempotent and bounded. One process owns the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use apalis::prelude::{BackendExt as _, WorkerBuilder};
use apalis_sqlite::{Config, SqliteStorage};
use async_trait::async_trait;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::{
    Job, JobId, JobKind, JobQueue, JobStatus, QueueDepth, QueueError, Queued,
};
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tower::limit::ConcurrencyLimitLayer;

use crate::queue::{
    DEAD_MAX, HEARTBEAT, POLL, Settled, Taken, WAITING_MAX, Work, Worked, clipped, job_id, kind_of,
    queue_name, seconds, task_id, unavailable,
};

/// How long a statement waits for another process that looks into the file.
const BUSY: Duration = Duration::from_secs(5);
/// Connections of apalis: a worker of each kind fetches, says that it lives, and takes back.
const FETCHING_MAX: u32 = 16;
/// apalis gives a job up after so many tries; it is asked never to.
const NEVER: i64 = i32::MAX as i64;
/// How an error begins that a check of the file has found.
const BROKEN: &str = "the file is broken";
/// Jobs that wait or run.
const LIVE: &str = "status IN ('Pending', 'Queued', 'Running', 'Failed')";

/// A job queue in a file.
#[derive(Debug, Clone)]
pub struct SqliteQueue {
    pool: SqlitePool,
    /// apalis' own. A worker with no free slot is not polled, and may hold a connection while it
    /// fetches: on the one of ours it would keep everybody from settling a job.
    fetching: SqlitePool,
    waiting_max: u64,
}

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
        // One connection: statements queue for it in order, and none is refused as busy.
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let sound: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await?;
        if sound != "ok" {
            return Err(sqlx::Error::Protocol(format!("{BROKEN}: {sound}")));
        }
        SqliteStorage::setup(&pool)
            .await
            .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        let fetching = SqlitePoolOptions::new().max_connections(FETCHING_MAX);
        let fetching = fetching.connect_lazy_with(options);
        let queue = Self { pool, fetching, waiting_max: WAITING_MAX };
        queue.prepare().await?;
        Ok(queue)
    }

    /// The same queue with another bound on the jobs of a kind that wait or run.
    #[must_use]
    pub fn with_waiting_max(mut self, waiting_max: u64) -> Self {
        self.waiting_max = waiting_max;
        self
    }

    /// The connections, for who looks into the file.
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    async fn prepare(&self) -> Result<(), sqlx::Error> {
        // apalis' setup has turned durability off on its connection.
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&self.pool).await?;
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

    async fn insert(&self, jobs: &[Job]) -> Result<bool, sqlx::Error> {
        let now = Utc::now().timestamp();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut grown = Vec::new();
        for job in jobs {
            let inserted = sqlx::query(
                "INSERT INTO Jobs (job, id, job_type, max_attempts, run_at, metadata, idempotency_key) \
                 VALUES (?1, ?2, ?3, ?4, ?5, '{}', ?2) ON CONFLICT DO NOTHING",
            )
            .bind(serde_json::to_vec(job).expect("a job has a JSON"))
            .bind(task_id(job.id()))
            .bind(queue_name(job.kind()))
            .bind(NEVER)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            if inserted.rows_affected() > 0 && !grown.contains(&job.kind()) {
                grown.push(job.kind());
            }
        }
        for kind in grown {
            if live(&mut tx, kind).await? > self.waiting_max {
                tx.rollback().await?;
                return Ok(false);
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn bury(&self, taken: &Taken, why: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE Jobs SET status = 'Killed', done_at = ?3, lock_by = NULL, lock_at = NULL, \
             last_result = ?4 WHERE id = ?1 AND lock_by = ?2",
        )
        .bind(task_id(taken.id))
        .bind(&taken.worker)
        .bind(Utc::now().timestamp())
        .bind(result(why))
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM Jobs WHERE id IN (SELECT id FROM Jobs WHERE job_type = ?1 \
             AND status = 'Killed' ORDER BY done_at DESC, id LIMIT -1 OFFSET ?2)",
        )
        .bind(queue_name(taken.kind))
        .bind(i64::try_from(DEAD_MAX).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn push(&self, jobs: &[Job]) -> Result<(), QueueError> {
        if self.insert(jobs).await.map_err(unavailable)? { Ok(()) } else { Err(QueueError::Full) }
    }

    async fn list(
        &self,
        status: JobStatus,
        after: Option<JobId>,
        max: usize,
    ) -> Result<Vec<Queued>, QueueError> {
        let statuses = match status {
            JobStatus::Waiting => "'Pending', 'Failed'",
            JobStatus::Running => "'Queued', 'Running'",
            JobStatus::Dead => "'Killed'",
        };
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM Jobs WHERE status IN ({statuses}) AND id > ?1 ORDER BY id LIMIT ?2"
        )))
        .bind(after.map(task_id).unwrap_or_default())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(rows.iter().filter_map(|row| queued(row).transpose()).collect::<Result<_, _>>()?)
    }

    async fn show(&self, id: JobId) -> Result<Option<Queued>, QueueError> {
        let row = sqlx::query("SELECT * FROM Jobs WHERE id = ?1 AND status != 'Done'")
            .bind(task_id(id))
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable)?;
        row.as_ref().map_or(Ok(None), queued)
    }

    async fn retry(&self, id: JobId) -> Result<bool, QueueError> {
        let done = sqlx::query(
            "UPDATE Jobs SET status = 'Pending', attempts = 0, run_at = ?2, done_at = NULL \
             WHERE id = ?1 AND status IN ('Pending', 'Failed', 'Killed') AND lock_by IS NULL",
        )
        .bind(task_id(id))
        .bind(Utc::now().timestamp())
        .execute(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(done.rows_affected() > 0)
    }

    async fn drop_job(&self, id: JobId) -> Result<bool, QueueError> {
        let done = sqlx::query(
            "DELETE FROM Jobs WHERE id = ?1 AND status IN ('Pending', 'Failed', 'Killed')",
        )
        .bind(task_id(id))
        .execute(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(done.rows_affected() > 0)
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT COALESCE(SUM({LIVE}), 0), COALESCE(SUM(status = 'Killed'), 0), \
             MIN(CASE WHEN status = 'Pending' THEN run_at END) FROM Jobs"
        )))
        .fetch_one(&self.pool)
        .await
        .map_err(unavailable)?;
        let oldest: Option<i64> = row.get(2);
        let overdue = oldest.map_or(0, |oldest| Utc::now().timestamp() - oldest);
        Ok(QueueDepth {
            waiting: row.get::<i64, _>(0).unsigned_abs(),
            dead: row.get::<i64, _>(1).unsigned_abs(),
            oldest_due: Duration::from_secs(u64::try_from(overdue).unwrap_or(0)),
        })
    }

    async fn checkpoint(&self, name: &str) -> Result<Option<Position>, QueueError> {
        let position: Option<i64> =
            sqlx::query_scalar("SELECT position FROM Checkpoints WHERE name = ?1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(unavailable)?;
        Ok(position.and_then(|position| position.try_into().ok()))
    }

    async fn set_checkpoint(&self, name: &str, position: Position) -> Result<(), QueueError> {
        sqlx::query("INSERT OR REPLACE INTO Checkpoints VALUES (?1, ?2)")
            .bind(name)
            .bind(i64::try_from(position).unwrap_or(i64::MAX))
            .execute(&self.pool)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

#[async_trait]
impl Worked for SqliteQueue {
    async fn begin(&self, taken: &Taken) -> Result<Option<u32>, QueueError> {
        let attempts: Option<i64> = sqlx::query_scalar(
            "UPDATE Jobs SET status = 'Running', attempts = attempts + 1 \
             WHERE id = ?1 AND lock_by = ?2 RETURNING attempts",
        )
        .bind(task_id(taken.id))
        .bind(&taken.worker)
        .fetch_optional(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(attempts.map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX)))
    }

    async fn settle(&self, taken: &Taken, settled: &Settled) -> Result<(), QueueError> {
        let (id, pool) = (task_id(taken.id), &self.pool);
        let settled = match settled {
            Settled::Done => {
                let delete = sqlx::query("DELETE FROM Jobs WHERE id = ?1 AND lock_by = ?2");
                delete.bind(id).bind(&taken.worker).execute(pool).await.map(drop)
            }
            Settled::Again { at, why } => sqlx::query(
                "UPDATE Jobs SET status = 'Pending', run_at = ?3, last_result = ?4, \
                 lock_by = NULL, lock_at = NULL WHERE id = ?1 AND lock_by = ?2",
            )
            .bind(id)
            .bind(&taken.worker)
            .bind(seconds(*at))
            .bind(result(why))
            .execute(pool)
            .await
            .map(drop),
            Settled::Dead { why } => self.bury(taken, why).await,
        };
        settled.map_err(unavailable)
    }

    async fn work(&self, work: Work) -> Result<(), QueueError> {
        let name = work.worker_name();
        let config = Config::default()
            .queue(queue_name(work.kind))
            // More at once would stand in a buffer, and while they do no heartbeat is sent.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT.0)
            .missed_heartbeats(HEARTBEAT.1)
            .lock_tasks(false)
            .persist_results(false);
        let storage = SqliteStorage::<serde_json::Value>::new(&self.fetching).with_config(config);
        WorkerBuilder::new(name.as_str())
            .backend(storage.poll_with_interval(POLL))
            .layer(ConcurrencyLimitLayer::new(work.at_once))
            .build(work.handler(&name))
            .run_until(work.stopped())
            .await
            .map_err(unavailable)
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

async fn live(connection: &mut SqliteConnection, kind: JobKind) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT COUNT(*) FROM Jobs WHERE job_type = ?1 AND {LIVE}"
    )))
    .bind(queue_name(kind))
    .fetch_one(connection)
    .await?;
    Ok(count.unsigned_abs())
}

/// What went wrong, as apalis writes results.
fn result(why: &str) -> String {
    serde_json::json!({ "Err": clipped(why) }).to_string()
}

/// A row as a job; `None` for one that another version of this software queued.
fn queued(row: &SqliteRow) -> Result<Option<Queued>, QueueError> {
    let column = |name| row.try_get::<String, _>(name).map_err(unavailable);
    let Some(id) = job_id(&column("id")?) else { return Ok(None) };
    let Ok(job) = serde_json::from_slice(&row.try_get::<Vec<u8>, _>("job").map_err(unavailable)?)
    else {
        return Ok(None);
    };
    if kind_of(&column("job_type")?).is_none() {
        return Ok(None);
    }
    let status = match column("status")?.as_str() {
        "Killed" => JobStatus::Dead,
        "Queued" | "Running" => JobStatus::Running,
        _ => JobStatus::Waiting,
    };
    let number = |name| row.try_get::<i64, _>(name).map_err(unavailable);
    let last: Option<String> = row.try_get("last_result").map_err(unavailable)?;
    let last = last.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    Ok(Some(Queued {
        id,
        job,
        status,
        attempts: u32::try_from(number("attempts")?).unwrap_or(u32::MAX),
        run_at: DateTime::from_timestamp(number("run_at")?, 0).unwrap_or_default(),
        last_error: last.and_then(|last| Some(last.get("Err")?.as_str()?.to_owned())),
    }))
}
