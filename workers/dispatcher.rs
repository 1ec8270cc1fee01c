//! Queues the jobs that new verifications call for, as the log grows, and those that never end.
//!
//! The queue notes how far the log was read, and that it was filled. A queue that has lost the latter
//! has lost its jobs, too: then whatever waits is asked again what it calls for. A queue that takes
//! no more, or is away, holds the dispatcher up and nobody else; once it is far behind, submissions
//! are turned away.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::error::Error as AppError;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::{Job, JobQueue, QueueError};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::error::Error;

/// By which name the queue notes how far the log was read.
pub const CHECKPOINT: &str = "verifications";
/// By which name it notes that it was filled: written then and never after, so that it cannot outlive
/// the jobs.
pub const FILLED: &str = "verifications filled";
/// Jobs that never end.
const ENDLESS: [Job; 2] = [Job::Expire, Job::Reconcile];
/// Events, or waiting verifications, that are looked at in one step.
const PAGE: usize = 512;
/// First and longest wait before a queue is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often the queue is looked after.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two notes of how far the log was read, and looks at whether the last one is there.
    pub every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(2) }
    }
}

/// Dispatches one facilitator's jobs.
pub struct Dispatcher {
    facilitator: Arc<Facilitator>,
    queue: Arc<dyn JobQueue>,
    options: Options,
}

/// How far the log was read, and how far the queue was told.
#[derive(Debug, Clone, Copy)]
struct Read {
    reached: Position,
    noted: Position,
}

impl Dispatcher {
    /// A dispatcher into a queue.
    #[must_use]
    pub fn new(facilitator: Arc<Facilitator>, queue: Arc<dyn JobQueue>, options: Options) -> Self {
        Self { facilitator, queue, options }
    }

    /// Dispatches until told to stop. What is not noted then is queued again, which changes nothing.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        shutdown.run_until_cancelled(self.dispatch()).await.unwrap_or(Ok(()))
    }

    async fn dispatch(&self) -> Result<(), Error> {
        let mut head = self.facilitator.log().head();
        let mut ticks = tokio::time::interval_at(Instant::now(), self.options.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut read = self.take_up().await?;
        loop {
            head.mark_unchanged();
            self.tell_lag(read.reached);
            let events = self.facilitator.log().read_all(read.reached, PAGE).await?;
            let jobs = self.facilitator.jobs_for(&events).await.map_err(failed)?;
            self.push(&jobs, read.reached).await;
            read.reached = events.last().map_or(read.reached, |last| last.position);
            tokio::select! {
                biased;
                _ = ticks.tick() => read = self.look_after(read).await?,
                () = std::future::ready(()), if !events.is_empty() => {}
                changed = head.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Where the log is to be read on. Where the queue does not know, it has lost what it held.
    async fn take_up(&self) -> Result<Read, Error> {
        let filled = self.insist(0, || self.queue.checkpoint(FILLED)).await;
        let noted = self.insist(0, || self.queue.checkpoint(CHECKPOINT)).await;
        match (filled, noted) {
            // A log that ends before was restored from a backup.
            (Some(_), Some(noted)) if noted <= *self.facilitator.log().head().borrow() => {
                Ok(Read { reached: noted, noted })
            }
            _ => self.refill().await,
        }
    }

    /// Queues what all that wait call for.
    async fn refill(&self) -> Result<Read, Error> {
        // What comes from here on is read from the log, too: queued twice is queued once.
        let reached = *self.facilitator.log().head().borrow();
        self.insist(reached, || self.queue.set_checkpoint(FILLED, reached)).await;
        let (mut after, mut count) = (None, 0);
        loop {
            let called_for = self.facilitator.jobs_called_for(after, PAGE).await.map_err(failed)?;
            count += called_for.jobs.len();
            self.push(&called_for.jobs, reached).await;
            after = called_for.next;
            if after.is_none() {
                break;
            }
        }
        self.insist(reached, || self.queue.set_checkpoint(CHECKPOINT, reached)).await;
        if reached > 0 {
            tracing::info!(count, "the job queue is new or lost its jobs; what waits was queued");
        }
        Ok(Read { reached, noted: reached })
    }

    async fn look_after(&self, read: Read) -> Result<Read, Error> {
        self.push(&ENDLESS, read.reached).await;
        match self.queue.checkpoint(FILLED).await {
            Ok(Some(_)) if read.reached == read.noted => Ok(read),
            Ok(Some(_)) => {
                let noted = self.queue.set_checkpoint(CHECKPOINT, read.reached).await;
                let noted = if noted.is_ok() { read.reached } else { read.noted };
                Ok(Read { noted, ..read })
            }
            Ok(None) => self.refill().await,
            Err(error) => {
                tracing::warn!(%error, "the job queue does not answer");
                Ok(read)
            }
        }
    }

    /// Queues jobs, all at once or, where there is not so much room, one by one.
    async fn push(&self, jobs: &[Job], reached: Position) {
        if jobs.is_empty() || self.queue.push(jobs).await.is_ok() {
            return;
        }
        for job in jobs {
            self.insist(reached, || self.queue.push(std::slice::from_ref(job))).await;
        }
    }

    /// Asks the queue until it does what it is asked for.
    async fn insist<T, F>(&self, reached: Position, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut is_told = false;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(QueueError::Full) => {}
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "jobs cannot be queued; the log keeps them");
                    }
                }
            }
            self.tell_lag(reached);
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Says how many events wait to be looked at. One job that finds room does not make it none.
    fn tell_lag(&self, reached: Position) {
        let head = *self.facilitator.log().head().borrow();
        self.facilitator.report_undispatched(head.saturating_sub(reached));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: AppError) -> Error {
    Error::Log(error.to_string())
}
