//! The job queue in a SQLite file of its own, on the tables of apalis-sqlite: the embedded default.
//!
//! Queueing and looking are statements of our own, because apalis offers none that are idempotent
//! and bounded. One process owns the file.

mod file;
mod held;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::{
    Job, JobId, JobKind, JobQueue, JobStatus, QueueDepth, QueueError, Queued,
};
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::sync::watch;

use crate::queue::{job_id, kind_of, queue_name, task_id, unavailable};

/// apalis gives a job up after so many tries; it is asked never to.
const NEVER: i64 = i32::MAX as i64;
/// Jobs that wait or run.
const LIVE: &str = "status IN ('Pending', 'Queued', 'Running', 'Failed')";

/// A job queue in a file.
#[derive(Debug, Clone)]
pub struct SqliteQueue {
    /// One connection: statements queue for it in order, and none is refused as busy.
    pool: SqlitePool,
    waiting_max: u64,
    pushed: Arc<watch::Sender<u64>>,
}

impl SqliteQueue {
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
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn push(&self, jobs: &[Job]) -> Result<(), QueueError> {
        if !self.insert(jobs).await.map_err(unavailable)? {
            return Err(QueueError::Full);
        }
        self.pushed.send_modify(|times| *times += 1);
        Ok(())
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
        self.pushed.send_modify(|times| *times += 1);
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

async fn live(connection: &mut SqliteConnection, kind: JobKind) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT COUNT(*) FROM Jobs WHERE job_type = ?1 AND {LIVE}"
    )))
    .bind(queue_name(kind))
    .fetch_one(connection)
    .await?;
    Ok(count.unsigned_abs())
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
