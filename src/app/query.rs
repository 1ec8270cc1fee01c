//! Reads one verification, and waits for its outcome.

use std::time::Duration;

use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::Reach;
use ccd402_domain::verification::state::Verification;
use tokio::time::Instant;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Position, StreamId};

/// How soon an unreachable chain is asked again while a caller waits.
const CHAIN_RETRY: Duration = Duration::from_millis(500);
/// How soon a caller who was not woken looks again: a wake-up is lost where its sender is cut off
/// between append and wake, or runs in another process.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A verification, and up to which event.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// As it stands.
    pub state: Verification,
    /// Everything of it up to this position of the log is in it.
    pub as_of: Position,
}

impl Facilitator {
    /// A verification within reach as it stands; with `wait`, as it stands once it is decided or
    /// time is up.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn query(
        &self,
        reach: &Reach,
        id: VerificationId,
        wait: Duration,
    ) -> Result<Option<Verification>, Error> {
        Ok(self.see(reach, id, wait).await?.map(|seen| seen.state))
    }

    /// As [`Facilitator::query`], and says as of which event.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn see(
        &self,
        reach: &Reach,
        id: VerificationId,
        wait: Duration,
    ) -> Result<Option<Seen>, Error> {
        let deadline = Instant::now() + wait.min(self.options.wait_max);
        let entry = self.wakeups.entry(id);
        loop {
            let changed = entry.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            // Another tenant's is not there: it must not be told from one that never was.
            let seen = self.look(id).await?.filter(|seen| reach.covers(&seen.state.tenant));
            let is_open = seen.as_ref().is_some_and(|seen| !seen.state.is_decided());
            if !is_open || Instant::now() >= deadline {
                return Ok(seen);
            }
            let until = deadline.min(Instant::now() + LOOK_AGAIN);
            // Woken or not, the loop looks again.
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    async fn look(&self, id: VerificationId) -> Result<Option<Seen>, Error> {
        // Before the stream is read: what was appended since may or may not be in it.
        let head = *self.log.head().borrow();
        let recorded = self.log.read_stream(&StreamId::verification(id), 0).await?;
        let state = Verification::fold(recorded.iter().map(|recorded| &recorded.event))?;
        // What is in it is told of, too: whoever asks elsewhere for as much must not see less.
        let as_of = recorded.last().map_or(head, |last| last.position.max(head));
        Ok(state.map(|state| Seen { state, as_of }))
    }

    /// Works on a verification and waits until it is decided or time is up.
    pub(crate) async fn outcome(
        &self,
        id: VerificationId,
        wait: Duration,
    ) -> Result<Option<Verification>, Error> {
        let deadline = Instant::now() + wait.min(self.options.wait_max);
        let entry = self.wakeups.entry(id);
        let mut is_work_due = true;
        loop {
            let changed = entry.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let is_chain_there = !is_work_due || self.work_until(deadline, id).await?;
            let state = self.load(id).await?;
            let is_open = state.as_ref().is_some_and(|state| !state.is_decided());
            if !is_open || Instant::now() >= deadline {
                return Ok(state);
            }
            let pause = if is_chain_there { LOOK_AGAIN } else { CHAIN_RETRY };
            let until = deadline.min(Instant::now() + pause);
            let is_woken = tokio::time::timeout_at(until, changed).await.is_ok();
            is_work_due = is_woken || !is_chain_there;
        }
    }

    /// Works on it as long as the caller has time; a job goes on. False where the chain could
    /// not be asked: not known is pending, never a refusal.
    async fn work_until(&self, deadline: Instant, id: VerificationId) -> Result<bool, Error> {
        match tokio::time::timeout_at(deadline, self.resolve(id)).await {
            Ok(Err(Error::Chain(error))) => {
                tracing::debug!(verification.id = %id, %error, "the chain could not be asked");
                Ok(false)
            }
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Ok(true),
        }
    }
}
