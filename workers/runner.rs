//! Runs jobs: takes them from the queue, has each tried by its handler, and decides what follows from
//! how that went.
//!
//! Retries are ours and durable: a job that must wait is back in the queue before its worker goes on.
//! What a job does is not known here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::queue::QueueError;
use ccd402_app::trace;
use chrono::Utc;
use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, trace_span};

use crate::backoff::{Backoff, wait_after};
use crate::error::Error;
use crate::jobs::{Handlers, Ran, Registered};
use crate::queue::{Settled, Taken, Worked};
use crate::worker::{Try, Work};

/// First and longest wait before a queue that failed is asked again.
const RETRY_QUEUE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a job is settled after the stop, where the queue fails; then it is taken back later.
const SETTLE_AFTER_STOP_MAX: u32 = 5;

/// When jobs are tried again, and how often.
#[derive(Debug, Clone)]
pub struct Options {
    /// The wait after the first try; each further one doubles it.
    pub retry_first: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// Tries before a job is a dead letter.
    pub attempts_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(300),
            attempts_max: 12,
        }
    }
}

/// Runs the jobs of a queue.
pub struct Runner {
    queue: Arc<dyn Worked>,
    handlers: Handlers,
    options: Options,
}

impl Runner {
    /// A runner.
    #[must_use]
    pub fn new(queue: Arc<dyn Worked>, handlers: Handlers, options: Options) -> Self {
        Self { queue, handlers, options }
    }

    /// Runs jobs until told to stop, then ends what runs.
    ///
    /// # Errors
    /// None at present: a queue that fails is waited for.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut workers = JoinSet::new();
        for (kind, Registered { handler, at_once }) in self.handlers {
            let tries = Tries {
                queue: Arc::clone(&self.queue),
                handler,
                options: self.options.clone(),
                stop: shutdown.clone(),
            };
            let work = Work { kind, at_once, tries: Arc::new(tries), stop: shutdown.clone() };
            workers.spawn(keep_working(Arc::clone(&self.queue), work));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        Ok(())
    }
}

/// Begins anew, as another worker, whenever the queue has failed.
async fn keep_working(queue: Arc<dyn Worked>, work: Work) {
    let mut backoff = Backoff::new(RETRY_QUEUE.0, RETRY_QUEUE.1);
    while !work.stop.is_cancelled() {
        let began = tokio::time::Instant::now();
        let Err(error) = work.run(&*queue).await else { continue };
        if work.stop.is_cancelled() {
            return;
        }
        if began.elapsed() > RETRY_QUEUE.1 {
            backoff.reset();
        }
        tracing::warn!(kind = %work.kind, %error, "a worker lost its job queue; beginning anew");
        let wait = backoff.next_wait();
        work.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

/// How one job is tried.
struct Tries {
    queue: Arc<dyn Worked>,
    handler: Arc<dyn crate::jobs::Handler>,
    options: Options,
    stop: CancellationToken,
}

#[async_trait]
impl Try for Tries {
    async fn run(&self, taken: Taken) {
        let begun = self.insist(|| self.queue.begin(&taken)).await;
        let Some(Some(attempt)) = begun else { return };
        let hop = hop(&taken, attempt);
        let ran = self.try_once(&taken, attempt).instrument(hop.clone()).await;
        let settled = hop.in_scope(|| self.decide(&taken, ran, attempt));
        drop(hop);
        self.insist(|| self.queue.settle(&taken, &settled)).await;
    }
}

impl Tries {
    async fn try_once(&self, taken: &Taken, attempt: u32) -> Ran {
        let job = match taken.job() {
            Ok(job) => job,
            Err(error) => return Ran::Dead { why: format!("not a job that is known: {error}") },
        };
        match AssertUnwindSafe(self.handler.run(job, attempt)).catch_unwind().await {
            Ok(ran) => ran,
            Err(panic) => Ran::Retry { why: format!("it panicked: {}", said(&*panic)) },
        }
    }

    fn decide(&self, taken: &Taken, ran: Ran, attempt: u32) -> Settled {
        let (settled, outcome) = match ran {
            Ran::Done => (Settled::Done, "done"),
            Ran::Next { at } => (Settled::Next { at }, "done"),
            Ran::Retry { why } if attempt >= self.options.attempts_max => {
                (Settled::Dead { why }, "dead")
            }
            Ran::Retry { why } => {
                let wait = wait_after(attempt, self.options.retry_first, self.options.retry_max);
                (Settled::Again { at: Utc::now() + wait, why }, "retry")
            }
            Ran::RetryAt { at, why } => (Settled::Again { at, why }, "retry"),
            Ran::Dead { why } => (Settled::Dead { why }, "dead"),
        };
        metrics::counter!(
            "ccd402_job_runs_total", "kind" => taken.kind.as_str(), "outcome" => outcome
        )
        .increment(1);
        Span::current().record("job.outcome", outcome);
        match &settled {
            Settled::Done | Settled::Next { .. } => {}
            Settled::Again { why, .. } => {
                tracing::debug!(job.id = %taken.id, kind = %taken.kind, attempt, why, "a job must wait");
            }
            Settled::Dead { why } => tracing::error!(
                job.id = %taken.id, kind = %taken.kind, attempt, why,
                "a job failed for good; look at it with `ccd402 jobs show`, then retry or drop it"
            ),
        }
        settled
    }

    /// Asks the queue until it answers. After the stop it has few tries left: a job that cannot be
    /// settled then is taken back from this worker once its heartbeat is missing, and runs again.
    async fn insist<T, F>(&self, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let mut backoff = Backoff::new(RETRY_QUEUE.0, RETRY_QUEUE.1);
        let mut after_stop = 0;
        loop {
            match ask().await {
                Ok(answer) => return Some(answer),
                Err(error) if after_stop >= SETTLE_AFTER_STOP_MAX => {
                    tracing::warn!(%error, "the job queue did not answer; the job will run again");
                    return None;
                }
                Err(_) => {}
            }
            after_stop += u32::from(self.stop.is_cancelled());
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }
}

/// One try, told of in the trace of the verification that it is about.
fn hop(taken: &Taken, attempt: u32) -> Span {
    trace_span!(
        target: trace::TARGET,
        "job.run",
        otel.kind = "consumer",
        verification.id = taken.job().ok().and_then(|job| job.verification()).map(display),
        job.id = %taken.id,
        job.kind = %taken.kind,
        job.attempt = attempt,
        job.outcome = Empty,
    )
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
