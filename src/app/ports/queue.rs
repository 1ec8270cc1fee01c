//! The port of the job queue. A job carries ids, nothing else: what it must do is read from the log.
//!
//! Nothing here may be rested on: a queue that was lost is filled again from the log, and a job that
//! runs twice must not matter.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_domain::ids::VerificationId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ports::log::Position;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Check the identity proof or the signatures of a verification.
    CheckIdentity {
        /// Whose.
        verification: VerificationId,
    },
    /// Find out about a transaction that the follower does not know.
    ResolveTransaction {
        /// Who waits for it.
        verification: VerificationId,
    },
    /// Look after a transaction that is signed until the chain has decided it.
    SendTransaction {
        /// Whose.
        verification: VerificationId,
    },
    /// Fail what can never come any more: one job for all, again and again.
    Expire,
    /// Compare the log with the chain: one job for all, again and again.
    Reconcile,
    /// Tell one webhook of one event.
    DeliverWebhook {
        /// Which webhook.
        webhook: Uuid,
        /// The event's position.
        position: Position,
    },
}

/// The sort of a job. Each has a queue of its own, so that none waits behind another sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// [`Job::CheckIdentity`].
    CheckIdentity,
    /// [`Job::ResolveTransaction`].
    ResolveTransaction,
    /// [`Job::SendTransaction`].
    SendTransaction,
    /// [`Job::Expire`].
    Expire,
    /// [`Job::Reconcile`].
    Reconcile,
    /// [`Job::DeliverWebhook`].
    DeliverWebhook,
}

/// A job's name: the same job has the same, so that it is queued once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It waits for its time or a free worker.
    Waiting,
    /// A worker has it.
    Running,
    /// It failed for good: somebody must look.
    Dead,
}

/// A job in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// Its name.
    pub id: JobId,
    /// What it is.
    #[serde(flatten)]
    pub job: Job,
    /// Where it stands.
    pub status: JobStatus,
    /// Tries so far.
    pub attempts: u32,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// What the last try said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Jobs that wait or run.
    pub waiting: u64,
    /// Jobs that failed for good.
    pub dead: u64,
    /// How long the oldest that is due has waited.
    pub oldest_due: Duration,
}

/// The queue could not be asked, or takes no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// As much waits as may.
    #[error("the job queue is full")]
    Full,
    /// It cannot be reached or fails.
    #[error("the job queue cannot be used: {0}")]
    Unavailable(String),
}

/// The job queue.
///
/// It holds a bounded number of jobs of each kind that wait or run. A queue that lost what it held
/// has lost its checkpoints, too: that is how it is noticed.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Queues jobs, all or none of a kind; those that are queued already, dead ones included, stay
    /// as they are.
    async fn push(&self, jobs: &[Job]) -> Result<(), QueueError>;

    /// Jobs in a status, in the order of their ids, after one, at most `max`.
    async fn list(
        &self,
        status: JobStatus,
        after: Option<JobId>,
        max: usize,
    ) -> Result<Vec<Queued>, QueueError>;

    /// One job.
    async fn show(&self, id: JobId) -> Result<Option<Queued>, QueueError>;

    /// Has a waiting or dead job run now, its tries forgotten; false where there is none.
    async fn retry(&self, id: JobId) -> Result<bool, QueueError>;

    /// Forgets a job that does not run; false where there is none.
    async fn drop_job(&self, id: JobId) -> Result<bool, QueueError>;

    /// How full it is, all kinds together.
    async fn depth(&self) -> Result<QueueDepth, QueueError>;

    /// Up to which position jobs were derived from the log, by whoever goes by this name.
    async fn checkpoint(&self, name: &str) -> Result<Option<Position>, QueueError>;

    /// Notes it, after the jobs were pushed.
    async fn set_checkpoint(&self, name: &str, position: Position) -> Result<(), QueueError>;
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::CheckIdentity,
        Self::ResolveTransaction,
        Self::SendTransaction,
        Self::Expire,
        Self::Reconcile,
        Self::DeliverWebhook,
    ];

    /// Its name in queues, metrics and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckIdentity => "check_identity",
            Self::ResolveTransaction => "resolve_transaction",
            Self::SendTransaction => "send_transaction",
            Self::Expire => "expire",
            Self::Reconcile => "reconcile",
            Self::DeliverWebhook => "deliver_webhook",
        }
    }
}

impl Job {
    /// Its sort.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        match self {
            Self::CheckIdentity { .. } => JobKind::CheckIdentity,
            Self::ResolveTransaction { .. } => JobKind::ResolveTransaction,
            Self::SendTransaction { .. } => JobKind::SendTransaction,
            Self::Expire => JobKind::Expire,
            Self::Reconcile => JobKind::Reconcile,
            Self::DeliverWebhook { .. } => JobKind::DeliverWebhook,
        }
    }

    /// The verification that it is about, if the job says so.
    #[must_use]
    pub fn verification(&self) -> Option<VerificationId> {
        match self {
            Self::CheckIdentity { verification }
            | Self::ResolveTransaction { verification }
            | Self::SendTransaction { verification } => Some(*verification),
            Self::Expire | Self::Reconcile | Self::DeliverWebhook { .. } => None,
        }
    }

    /// Its name, made of what it is.
    #[must_use]
    pub fn id(&self) -> JobId {
        let text = self.to_string();
        JobId(ccd402_domain::ids::uuid_of(&[b"job", text.as_bytes()]))
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Ok(Self(text.parse()?))
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckIdentity { verification } => write!(f, "check_identity {verification}"),
            Self::ResolveTransaction { verification } => {
                write!(f, "resolve_transaction {verification}")
            }
            Self::SendTransaction { verification } => write!(f, "send_transaction {verification}"),
            Self::Expire | Self::Reconcile => self.kind().fmt(f),
            Self::DeliverWebhook { webhook, position } => {
                write!(f, "deliver_webhook {webhook} {position}")
            }
        }
    }
}
