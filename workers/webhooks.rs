//! Finds what webhooks are to be told and queues it; writes down now and then how far that has come.
//!
//! The queue holds what is due, and little of each webhook. It may be lost at any time: what should be
//! in it is queued again every half minute.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::error::Error as AppError;
use ccd402_app::ports::queue::{Job, JobQueue};
use ccd402_app::webhooks::Webhooks;
use ccd402_app::webhooks::dispatch::Dispatch;
use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::error::{Error, is_log_broken};

/// Jobs that are queued at once.
const PUSH_MAX: usize = 1_000;
/// What is due at nearly the same time is queued together.
const GRAIN: Duration = Duration::from_millis(10);
/// First and longest wait before a queue is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How often what should be in the queue is queued again, and what is outstanding written down.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two times.
    pub every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(30) }
    }
}

/// Dispatches deliveries.
pub struct WebhookDispatcher {
    webhooks: Arc<Webhooks>,
    queue: Arc<dyn JobQueue>,
    options: Options,
}

impl WebhookDispatcher {
    /// A dispatcher of these webhooks' deliveries into a queue.
    #[must_use]
    pub fn new(webhooks: Arc<Webhooks>, queue: Arc<dyn JobQueue>, options: Options) -> Self {
        Self { webhooks, queue, options }
    }

    /// Dispatches until told to stop, then writes down how far it has come.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut dispatch = Dispatch::begin(Arc::clone(&self.webhooks)).await.map_err(failed)?;
        let worked = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            worked = self.work(&mut dispatch) => worked,
        };
        worked.and(checkpoint(&mut dispatch).await)
    }

    async fn work(&self, dispatch: &mut Dispatch) -> Result<(), Error> {
        let mut head = self.webhooks.log().head();
        let mut ticks = tokio::time::interval_at(Instant::now(), self.options.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            head.mark_unchanged();
            let found = dispatch.advance().await.map_err(failed)?;
            self.push(&found.jobs).await;
            let is_more = !found.is_all;
            let due = until(dispatch.next_due());
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    self.push(&dispatch.queued()).await;
                    checkpoint(dispatch).await?;
                }
                () = std::future::ready(()), if is_more => {}
                () = due => {}
                () = self.webhooks.noted() => {}
                changed = head.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Queues jobs; waits where the queue takes none, for the log does not run away.
    async fn push(&self, jobs: &[Job]) {
        for jobs in jobs.chunks(PUSH_MAX) {
            let mut backoff = Backoff::new(RETRY.0, RETRY.1);
            while let Err(error) = self.queue.push(jobs).await {
                tracing::warn!(%error, "deliveries of webhooks could not be queued yet");
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// Ends at a time; never, where there is none.
async fn until(due_at: Option<DateTime<Utc>>) {
    let Some(due_at) = due_at else { return std::future::pending().await };
    tokio::time::sleep((due_at - Utc::now()).to_std().unwrap_or_default() + GRAIN).await;
}

/// A checkpoint that is not taken is taken the next time.
async fn checkpoint(dispatch: &mut Dispatch) -> Result<(), Error> {
    match dispatch.checkpoint().await {
        Err(error) if is_log_broken(&error) => Err(failed(error)),
        Err(error) => {
            tracing::debug!(%error, "a checkpoint of webhooks was put off");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: AppError) -> Error {
    Error::Log(error.to_string())
}
