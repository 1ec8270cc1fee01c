//! Reads one verification, and waits for its outcome.

use std::time::Duration;

use ccd402_domain::ids::VerificationId;
use ccd402_domain::verification::state::Verification;
use tokio::time::Instant;

use crate::error::Error;
use crate::facilitator::Facilitator;

/// How soon an unreachable chain is asked again while a caller waits.
const CHAIN_RETRY: Duration = Duration::from_millis(500);

impl Facilitator {
    /// A verification as it stands; with `wait`, as it stands once it is decided or time is up.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn query(
        &self,
        id: VerificationId,
        wait: Duration,
    ) -> Result<Option<Verification>, Error> {
        let deadline = Instant::now() + wait.min(self.options.wait_max);
        let entry = self.wakeups.entry(id);
        loop {
            let changed = entry.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let state = self.load(id).await?;
            let is_open = state.as_ref().is_some_and(|state| !state.is_decided());
            if !is_open || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(state);
            }
        }
    }

    /// Works on a verification and waits until it is decided or time is up.
    pub(crate) async fn outcome(
        &self,
        id: VerificationId,
        wait: Duration,
    ) -> Result<Option<Verification>, Error> {
        let deadline = Instant::now() + wait.min(self.options.wait_max);
        let entry = self.wakeups.entry(id);
        loop {
            let changed = entry.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (state, until) = match self.resolve(id).await {
                Ok(state) => (state, deadline),
                // Not known is pending, never a refusal: the chain may answer in a moment.
                Err(Error::Chain(error)) => {
                    tracing::debug!(verification.id = %id, %error, "the chain could not be asked");
                    (self.load(id).await?, deadline.min(Instant::now() + CHAIN_RETRY))
                }
                Err(error) => return Err(error),
            };
            let is_open = state.as_ref().is_some_and(|state| !state.is_decided());
            if !is_open || Instant::now() >= deadline {
                return Ok(state);
            }
            // Woken or not, the loop looks again.
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }
}
