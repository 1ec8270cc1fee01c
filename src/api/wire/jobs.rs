//! The JSON of `/v1/jobs`.

use ccd402_app::ports::queue::{Job, JobStatus, QueueDepth, Queued};
use ccd402_domain::ids::VerificationId;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// A job as it stands in the queue.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownJob<'a> {
    id: Uuid,
    #[schemars(extend("enum" = [
        "check_identity", "resolve_transaction", "expire", "reconcile", "deliver_webhook",
    ]))]
    kind: &'static str,
    /// Of which verification, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationId>,
    /// Whom it tells, if it is a delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Uuid>,
    /// Of the event at this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[schemars(extend("enum" = ["waiting", "running", "dead"]))]
    status: &'static str,
    /// Tries so far.
    attempts: u32,
    /// Not before this time.
    run_at: DateTime<Utc>,
    /// What the last try said.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
}

/// A page of jobs, in the order of their ids, and how full the queue is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobPage<'a> {
    jobs: Vec<ShownJob<'a>>,
    /// For `?after=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
    /// Jobs that wait or run, in all.
    waiting: u64,
    /// Jobs that failed for good, in all.
    dead: u64,
    /// For how long the oldest that is due has waited, in seconds.
    oldest_due_seconds: u64,
}

impl<'a> ShownJob<'a> {
    /// A job as it stands.
    pub(crate) fn of(queued: &'a Queued) -> Self {
        let (verification, webhook, position) = match queued.job {
            Job::CheckIdentity { verification }
            | Job::ResolveTransaction { verification }
            | Job::SendTransaction { verification } => (Some(verification), None, None),
            Job::DeliverWebhook { webhook, position } => (None, Some(webhook), Some(position)),
            Job::Expire | Job::Reconcile => (None, None, None),
        };
        Self {
            id: queued.id.0,
            kind: queued.job.kind().as_str(),
            verification,
            webhook,
            position,
            status: match queued.status {
                JobStatus::Waiting => "waiting",
                JobStatus::Running => "running",
                JobStatus::Dead => "dead",
            },
            attempts: queued.attempts,
            run_at: queued.run_at,
            last_error: queued.last_error.as_deref(),
        }
    }
}

impl<'a> JobPage<'a> {
    /// A page.
    pub(crate) fn of(jobs: &'a [Queued], next: Option<Uuid>, depth: QueueDepth) -> Self {
        Self {
            jobs: jobs.iter().map(ShownJob::of).collect(),
            next,
            waiting: depth.waiting,
            dead: depth.dead,
            oldest_due_seconds: depth.oldest_due.as_secs(),
        }
    }
}
