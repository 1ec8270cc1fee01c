//! Resolves what was submitted and needs more than waiting for the follower: proofs to check, and
//! transactions that the follower has passed already.
//!
//! It reads the log from where it stands at the start; what was there before is the sweeper's.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::error::Error as AppError;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::log::Position;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff::Backoff;
use crate::error::{Error, is_log_broken};

/// Events read at once.
const PAGE: usize = 512;
/// Verifications resolved at the same time.
const AT_ONCE_MAX: usize = 64;
/// Verifications that are being resolved or wait to be tried again; the rest waits in the log.
const BEGUN_MAX: usize = 1_024;
/// First and longest wait before one is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Resolves submissions.
pub struct Resolver {
    facilitator: Arc<Facilitator>,
    slots: Arc<Semaphore>,
    begun: Arc<Semaphore>,
}

impl Resolver {
    /// A resolver.
    #[must_use]
    pub fn new(facilitator: Arc<Facilitator>) -> Self {
        Self {
            facilitator,
            slots: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            begun: Arc::new(Semaphore::new(BEGUN_MAX)),
        }
    }

    /// Resolves until told to stop, then finishes what it has begun.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let tasks = TaskTracker::new();
        let worked = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            worked = self.work(&tasks, &shutdown) => worked,
        };
        tasks.close();
        tasks.wait().await;
        worked
    }

    async fn work(&self, tasks: &TaskTracker, shutdown: &CancellationToken) -> Result<(), Error> {
        let log = self.facilitator.log();
        let mut head = log.head();
        let mut after: Position = *head.borrow_and_update();
        loop {
            let events = log.read_all(after, PAGE).await?;
            if events.is_empty() {
                if head.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            }
            for recorded in events {
                after = recorded.position;
                let Event::VerificationRequested(requested) = recorded.event else { continue };
                if self.facilitator.needs_work(&requested.payment) {
                    self.begin(requested.verification, tasks, shutdown).await;
                }
            }
        }
    }

    async fn begin(&self, id: VerificationId, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let begun = Arc::clone(&self.begun).acquire_owned().await;
        let begun = begun.expect("nobody closes the semaphore");
        let facilitator = Arc::clone(&self.facilitator);
        let slots = Arc::clone(&self.slots);
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            let _begun = begun;
            let mut backoff = Backoff::new(RETRY.0, RETRY.1);
            loop {
                let slot = tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    slot = slots.acquire() => slot.expect("nobody closes the semaphore"),
                };
                if resolve(&facilitator, id).await.is_ok() {
                    return;
                }
                drop(slot);
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(backoff.next_wait()) => {}
                }
            }
        });
    }
}

/// One try. A fault of the log is not tried again: the process is about to stop.
async fn resolve(facilitator: &Facilitator, id: VerificationId) -> Result<(), AppError> {
    match facilitator.resolve(id).await {
        Ok(_) => Ok(()),
        Err(error) if is_log_broken(&error) => {
            tracing::error!(verification.id = %id, %error, "could not resolve a verification");
            Ok(())
        }
        Err(error) => {
            tracing::debug!(verification.id = %id, %error, "could not resolve yet; trying again");
            Err(error)
        }
    }
}
