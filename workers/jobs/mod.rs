//! The jobs, one a file. What a job must do it reads from the log; when it is tried again, and when it
//! is given up, is decided by who runs it.

pub mod check_identity;
pub mod deliver_webhook;
pub mod expire;
pub mod reconcile;
pub mod resolve_transaction;
pub mod send_transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::queue::{Job, JobKind};
use chrono::{DateTime, Utc};

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// There is no more to do.
    Done,
    /// It may go well later: tried again after a wait that grows, a bounded number of times.
    Retry {
        /// What went wrong, without secrets.
        why: String,
    },
    /// As [`Ran::Retry`], at a time that the job knows, as often as it says so.
    RetryAt {
        /// Not before this time.
        at: DateTime<Utc>,
        /// What went wrong, without secrets.
        why: String,
    },
    /// It went well, and comes again at this time: work that never ends.
    Next {
        /// Not before this time.
        at: DateTime<Utc>,
    },
    /// It will never go well: somebody must look.
    Dead {
        /// What went wrong, without secrets.
        why: String,
    },
}

/// Runs the jobs of one kind. A job may run twice, and may be cut off anywhere.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Tries a job; the first try is 1.
    async fn run(&self, job: Job, attempt: u32) -> Ran;
}

/// Who runs the jobs of a kind, and how many at the same time.
#[derive(Clone)]
pub struct Registered {
    /// Runs them.
    pub handler: Arc<dyn Handler>,
    /// How many at the same time.
    pub at_once: usize,
}

/// Who runs what. Jobs of a kind that nobody runs stay in the queue.
pub type Handlers = BTreeMap<JobKind, Registered>;
