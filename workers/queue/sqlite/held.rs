//! What a worker does with the file: it says that it lives, is handed jobs, and settles them.
//!
//! Fetching is apalis' statement; the others are ours.

use apalis_sqlite::{Config, queries};
use async_trait::async_trait;
use ccd402_app::ports::queue::{JobKind, QueueError};
use chrono::Utc;
use tokio::sync::watch;

use crate::queue::sqlite::SqliteQueue;
use crate::queue::{
    DEAD_MAX, HEARTBEAT, Settled, Taken, Worked, Worker, clipped, queue_name, seconds, task_id,
    unavailable,
};

#[async_trait]
impl Worked for SqliteQueue {
    async fn register(&self, worker: &Worker) -> Result<(), QueueError> {
        let config = config(worker.kind);
        queries::register_worker(&self.pool, &config, &worker.context, "ccd402")
            .await
            .map_err(unavailable)
    }

    async fn beat(&self, worker: &Worker) -> Result<(), QueueError> {
        if self.hear(worker).await.map_err(unavailable)? {
            Ok(())
        } else {
            Err(unavailable("the queue knows this worker no more"))
        }
    }

    async fn fetch(&self, worker: &Worker, max: usize) -> Result<Vec<Taken>, QueueError> {
        let config = config(worker.kind).batch_size(max);
        let tasks = queries::fetch_next(&self.pool, &config, &worker.context).await;
        tasks.map_err(unavailable)?.iter().map(|task| worker.taken(task)).collect()
    }

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
            Settled::Next { at } => sqlx::query(
                "UPDATE Jobs SET status = 'Pending', run_at = ?3, last_result = NULL, attempts = 0, \
                 lock_by = NULL, lock_at = NULL WHERE id = ?1 AND lock_by = ?2",
            )
            .bind(id)
            .bind(&taken.worker)
            .bind(seconds(*at))
            .execute(pool)
            .await
            .map(drop),
            Settled::Dead { why } => self.bury(taken, why).await,
        };
        settled.map_err(unavailable)
    }

    fn pushed(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }
}

impl SqliteQueue {
    /// Notes that a worker lives, and takes back the jobs of those that have been silent for too
    /// long. False where the worker is not known.
    async fn hear(&self, worker: &Worker) -> Result<bool, sqlx::Error> {
        let now = Utc::now().timestamp();
        let silent = config(worker.kind).orphaned_duration().as_secs();
        let heard = now.saturating_sub_unsigned(silent);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let known = sqlx::query("UPDATE Workers SET last_seen = ?2 WHERE id = ?1")
            .bind(worker.name())
            .bind(now)
            .execute(&mut *tx)
            .await?;
        for statement in [
            "UPDATE Jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL \
             WHERE lock_by IN (SELECT id FROM Workers WHERE worker_type = ?1 AND last_seen <= ?2)",
            "DELETE FROM Workers WHERE worker_type = ?1 AND last_seen <= ?2",
        ] {
            let query = sqlx::query(statement).bind(queue_name(worker.kind)).bind(heard);
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(known.rows_affected() > 0)
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

fn config(kind: JobKind) -> Config {
    Config::default()
        .queue(queue_name(kind))
        .heartbeat_interval(HEARTBEAT.0)
        .missed_heartbeats(HEARTBEAT.1)
}

/// What went wrong, as apalis writes results.
fn result(why: &str) -> String {
    serde_json::json!({ "Err": clipped(why) }).to_string()
}
