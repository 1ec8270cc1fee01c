//! The job queue in SQLite and in Redis, on apalis: it keeps the jobs, hands each to one worker, and
//! takes back those of a worker that is gone.
//!
//! When a job is tried again and when it is given up is not apalis' business here: a try is begun and
//! settled by [`Worked`], so that both are durable before anything else happens, and no retry holds a
//! worker. Each queue of apalis is one kind of job.

pub mod redis;
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BoxDynError, TaskId};
use async_trait::async_trait;
use ccd402_app::ports::queue::{Job, JobId, JobKind, JobQueue, QueueError};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Deserialize as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;
use uuid::Uuid;

/// Jobs of a kind that may wait or run. What is more waits in the log.
///
/// Redis moves all due jobs in one call of `unpack`, which takes less than 8,000.
pub const WAITING_MAX: u64 = 4_000;
/// Jobs of a kind that are kept after they failed for good; the oldest go first.
pub const DEAD_MAX: u64 = 10_000;
/// How often a worker says that it lives, and how often it may fail to.
const HEARTBEAT: (Duration, usize) = (Duration::from_secs(1), 3);
/// How often a worker looks for jobs.
const POLL: Duration = Duration::from_millis(100);
/// How long the why of a failed try may be.
const WHY_BYTES_MAX: usize = 1_024;

/// A job that a worker holds.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Which.
    pub id: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// The worker's name: another's hold is not touched.
    pub worker: String,
    /// What it is, as JSON. apalis would drop what it cannot read as a [`Job`].
    pub args: Value,
}

impl Taken {
    /// What it is.
    ///
    /// # Errors
    /// Where another version of this software queued it.
    pub fn job(&self) -> Result<Job, serde_json::Error> {
        Job::deserialize(&self.args)
    }
}

/// What happens to a job after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is forgotten.
    Done,
    /// It is tried again.
    Again {
        /// Not before this time.
        at: DateTime<Utc>,
        /// What went wrong.
        why: String,
    },
    /// It is kept as a dead letter.
    Dead {
        /// What went wrong.
        why: String,
    },
}

/// Tries one job to its end, and settles it.
#[async_trait]
pub trait Try: Send + Sync {
    /// Tries it. What goes wrong is settled, too.
    async fn run(&self, taken: Taken);
}

/// A queue with workers.
#[async_trait]
pub trait Worked: JobQueue {
    /// Counts a try, and says how many there were; `None` where the job is not the worker's any more.
    async fn begin(&self, taken: &Taken) -> Result<Option<u32>, QueueError>;

    /// Says what happens to the job; nothing where it is not the worker's any more.
    async fn settle(&self, taken: &Taken, settled: &Settled) -> Result<(), QueueError>;

    /// Works on the jobs of a kind until told to stop; then what runs ends first.
    ///
    /// # Errors
    /// Where the queue fails: begin anew, under another name.
    async fn work(&self, work: Work) -> Result<(), QueueError>;
}

/// What a worker is to do.
#[derive(Clone)]
pub struct Work {
    /// Jobs of which kind.
    pub kind: JobKind,
    /// How many at the same time.
    pub at_once: usize,
    /// How.
    pub tries: Arc<dyn Try>,
    /// Until when.
    pub stop: CancellationToken,
}

impl Work {
    /// A worker's name: two workers of one name would take each other for gone, and a name cannot be
    /// taken again before it has been silent for long.
    fn worker_name(&self) -> String {
        format!("{}-{}", self.kind, Uuid::now_v7())
    }

    /// What an apalis worker calls for each job.
    fn handler(
        &self,
        worker: &str,
    ) -> impl Fn(Value, TaskId) -> BoxFuture<'static, Result<(), BoxDynError>> + Clone + use<> {
        let (work, worker) = (self.clone(), worker.to_owned());
        move |args, id| {
            let (tries, kind, worker) = (Arc::clone(&work.tries), work.kind, worker.clone());
            Box::pin(async move {
                let id = job_id(&id.to_string()).ok_or("a task's id is no ULID")?;
                tries.run(Taken { id, kind, worker, args }).await;
                Ok(())
            })
        }
    }

    /// Ends when the work is to stop.
    fn stopped(&self) -> impl Future<Output = std::io::Result<()>> + Send + use<> {
        let stop = self.stop.clone();
        async move {
            stop.cancelled_owned().await;
            Ok(())
        }
    }
}

/// An id as apalis' backends write it: they read task ids as ULIDs, which have as many bits.
fn task_id(id: JobId) -> String {
    Ulid::from_bytes(id.0.into_bytes()).to_string()
}

fn job_id(task: &str) -> Option<JobId> {
    Some(JobId(Uuid::from_bytes(Ulid::from_string(task).ok()?.to_bytes())))
}

/// The name of the queue of a kind.
fn queue_name(kind: JobKind) -> String {
    format!("ccd402:{kind}")
}

fn kind_of(queue: &str) -> Option<JobKind> {
    JobKind::ALL.into_iter().find(|kind| queue_name(*kind) == queue)
}

fn clipped(why: &str) -> &str {
    let mut end = why.len().min(WHY_BYTES_MAX);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    &why[..end]
}

fn unavailable(error: impl std::fmt::Display) -> QueueError {
    QueueError::Unavailable(error.to_string())
}

/// Whole seconds, as the queues count; up, so that nothing runs before its time.
fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0)
}
