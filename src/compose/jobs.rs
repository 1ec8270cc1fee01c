//! The job queue of a facilitator, who runs which job, and how full the queue is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ccd402_api::ready::Readiness;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::{JobKind, JobQueue};
use ccd402_workers::dispatcher::CHECKPOINT;
use ccd402_workers::jobs::check_identity::CheckIdentity;
use ccd402_workers::jobs::expire::Expire;
use ccd402_workers::jobs::reconcile::Reconcile;
use ccd402_workers::jobs::resolve_transaction::ResolveTransaction;
use ccd402_workers::jobs::send_transaction::SendTransaction;
use ccd402_workers::jobs::{Handler, Handlers, Registered};
use ccd402_workers::queue::Worked;
use ccd402_workers::queue::redis::RedisQueue;
use ccd402_workers::queue::sqlite::SqliteQueue;
use ccd402_workers::runner::Options as Tries;
use metrics::gauge;

/// Name of the file of jobs in the data directory.
pub(crate) const FILE: &str = "jobs.sqlite";
/// Proofs that are checked or wait for a processor at the same time.
const PROOFS_AT_ONCE: usize = 64;
/// Transactions that nodes are asked for at the same time.
const TRANSACTIONS_AT_ONCE: usize = 16;
/// How often the queue is asked how full it is.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often what never ends is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two looks for what can never come any more.
    pub expire_every: Duration,
    /// Between two comparisons of the log with the chain.
    pub reconcile_every: Duration,
    /// When jobs are tried again, and how often.
    pub tries: Tries,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            expire_every: Duration::from_secs(10),
            reconcile_every: Duration::from_secs(3_600),
            tries: Tries::default(),
        }
    }
}

/// Opens the queue: in Redis where a URL says so, in a file of the data directory otherwise.
///
/// # Errors
/// Says what to do.
pub(crate) async fn open(url: Option<&str>, data_dir: &Path) -> anyhow::Result<Arc<dyn Worked>> {
    match url {
        Some(url) => {
            let queue = RedisQueue::open(url)
                .context("the URL of the job queue must be one of Redis: redis://HOST:PORT/DB")?;
            Ok(Arc::new(queue))
        }
        None => {
            let path = data_dir.join(FILE);
            let queue = SqliteQueue::open(&path).await.with_context(|| {
                let path = path.display();
                format!("cannot use the jobs in {path}; moving the file away loses nothing")
            })?;
            Ok(Arc::new(queue))
        }
    }
}

/// Who runs the jobs that verifications call for.
pub(crate) fn handlers(
    facilitator: &Arc<Facilitator>,
    queue: &Arc<dyn JobQueue>,
    options: &Options,
) -> Handlers {
    let facilitator = || Arc::clone(facilitator);
    let registered = |handler: Arc<dyn Handler>, at_once| Registered { handler, at_once };
    let resolve = ResolveTransaction(facilitator());
    let send = SendTransaction(facilitator());
    let expire = Expire { facilitator: facilitator(), every: options.expire_every };
    let reconcile = Reconcile {
        facilitator: facilitator(),
        queue: Arc::clone(queue),
        every: options.reconcile_every,
    };
    [
        (
            JobKind::CheckIdentity,
            registered(Arc::new(CheckIdentity(facilitator())), PROOFS_AT_ONCE),
        ),
        (JobKind::ResolveTransaction, registered(Arc::new(resolve), TRANSACTIONS_AT_ONCE)),
        (JobKind::SendTransaction, registered(Arc::new(send), TRANSACTIONS_AT_ONCE)),
        (JobKind::Expire, registered(Arc::new(expire), 1)),
        (JobKind::Reconcile, registered(Arc::new(reconcile), 1)),
    ]
    .into()
}

/// Tells `/readyz` and the metrics how full the queue is, for as long as it is awaited.
pub(crate) async fn watch(queue: Arc<dyn JobQueue>, readiness: Readiness) {
    loop {
        let depth = queue.depth().await;
        readiness.report("queue", depth.is_err().then_some("queue_unavailable"));
        if let Ok(depth) = depth {
            gauge!("ccd402_jobs_waiting").set(depth.waiting as f64);
            gauge!("ccd402_jobs_dead").set(depth.dead as f64);
            gauge!("ccd402_jobs_oldest_due_seconds").set(depth.oldest_due.as_secs_f64());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Learns from the queue how far the dispatcher of another process has come, for as long as it is
/// awaited: where nobody can keep up, submissions are turned away everywhere.
pub(crate) async fn watch_dispatcher(queue: Arc<dyn JobQueue>, facilitator: Arc<Facilitator>) {
    let head = facilitator.log().head();
    let mut noted = *head.borrow();
    loop {
        // Where the queue does not answer, it takes no jobs either.
        if let Ok(Some(position)) = queue.checkpoint(CHECKPOINT).await {
            noted = position;
        }
        facilitator.report_undispatched(head.borrow().saturating_sub(noted));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
