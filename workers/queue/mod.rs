//! The job queue in SQLite and in Redis, on apalis: it keeps the jobs, hands each to one worker, and
//! takes back those of a worker that is gone.
//!
//! When a job is tried again and when it is given up is not apalis' business here: a try is begun and
//! settled by [`Worked`], so that both are durable before anything else happens, and no retry holds a
//! worker. Nor is polling: `crate::worker` does it. Each queue of apalis is one kind of job.

pub mod redis;
pub mod sqlite;

use std::time::Duration;

use apalis::prelude::{Task, WorkerContext};
use async_trait::async_trait;
use ccd402_app::ports::queue::{Job, JobId, JobKind, JobQueue, QueueError};
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::watch;
use ulid::Ulid;
use uuid::Uuid;

/// Jobs of a kind that may wait or run. What is more waits in the log.
///
/// Redis moves all due jobs in one call of `unpack`, which takes less than 8,000.
pub const WAITING_MAX: u64 = 4_000;
/// Jobs of a kind that are kept after they failed for good; the oldest go first.
pub const DEAD_MAX: u64 = 10_000;
/// How often a worker says that it lives, and how often it may fail to.
pub(crate) const HEARTBEAT: (Duration, usize) = (Duration::from_secs(1), 3);
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
    /// It went well, and comes again: its tries are forgotten.
    Next {
        /// Not before this time.
        at: DateTime<Utc>,
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

/// A worker of one kind of job, by a name that no other ever has: two workers of one name would take
/// each other for gone.
#[derive(Debug, Clone)]
pub struct Worker {
    kind: JobKind,
    context: WorkerContext,
}

impl Worker {
    /// A new one.
    #[must_use]
    pub fn new(kind: JobKind) -> Self {
        let name = format!("{kind}-{}", Uuid::now_v7());
        Self { kind, context: WorkerContext::new(&name) }
    }

    fn name(&self) -> &str {
        self.context.name()
    }

    /// A job that the worker was handed by apalis.
    fn taken(&self, task: &Task<Vec<u8>>) -> Result<Taken, QueueError> {
        let id = task.task_id().and_then(|id| job_id(&id.to_string()));
        let id = id.ok_or_else(|| unavailable("a task's id is no ULID"))?;
        // What is not even JSON is a job that nobody knows: it ends as a dead letter.
        let args = serde_json::from_slice(&task.args).unwrap_or_default();
        Ok(Taken { id, kind: self.kind, worker: self.name().to_owned(), args })
    }
}

/// A queue with workers.
#[async_trait]
pub trait Worked: JobQueue {
    /// Makes a worker known, so that it can be handed jobs.
    async fn register(&self, worker: &Worker) -> Result<(), QueueError>;

    /// Says that a worker lives, and takes back the jobs of those of its kind that are gone.
    ///
    /// # Errors
    /// Also where the queue knows the worker no more: begin anew, as another one.
    async fn beat(&self, worker: &Worker) -> Result<(), QueueError>;

    /// Hands a worker jobs that are due, at most `max`.
    async fn fetch(&self, worker: &Worker, max: usize) -> Result<Vec<Taken>, QueueError>;

    /// Counts a try, and says how many there were; `None` where the job is not the worker's any more.
    async fn begin(&self, taken: &Taken) -> Result<Option<u32>, QueueError>;

    /// Says what happens to the job; nothing where it is not the worker's any more.
    async fn settle(&self, taken: &Taken, settled: &Settled) -> Result<(), QueueError>;

    /// Changes whenever this process has made a job due.
    fn pushed(&self) -> watch::Receiver<u64>;
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
