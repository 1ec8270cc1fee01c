//! What `/verify` reserved, and its way back: whoever drops a reservation gives it back.
//!
//! A payer whose request failed behind the gate, or who went away, can then pay with the same
//! payment at once. Giving back is a courtesy with a bound: where it fails, the reservation lapses
//! at the facilitator by itself.

use std::sync::Arc;
use std::time::Duration;

use ccd402_client::facilitator::Facilitator;
use ccd402_protocol::facilitator::VerifyResponse;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How long giving back may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Reservations that are given back at the same time.
pub(crate) const RELEASES_MAX: usize = 256;

/// A payment that is held for the request at hand.
pub(crate) struct Reservation {
    held: Option<Held>,
}

struct Held {
    facilitator: Arc<dyn Facilitator>,
    releases: Arc<Semaphore>,
    verification: String,
    reservation: String,
}

impl Reservation {
    /// What the answer says was reserved; facilitators that reserve nothing say nothing.
    pub(crate) fn of(
        answer: &VerifyResponse,
        facilitator: &Arc<dyn Facilitator>,
        releases: &Arc<Semaphore>,
    ) -> Self {
        let text = |name: &str| {
            let value = answer.extra.as_ref()?.get(name).and_then(Value::as_str)?;
            Some(value.to_owned())
        };
        let ids = answer.is_valid.then(|| text("verification").zip(text("reservation"))).flatten();
        let held = ids.map(|(verification, reservation)| Held {
            facilitator: Arc::clone(facilitator),
            releases: Arc::clone(releases),
            verification,
            reservation,
        });
        Self { held }
    }

    /// From here on the payment is being used up: nothing is given back any more.
    pub(crate) fn keep(mut self) {
        self.held = None;
    }

    /// Gives it back and waits until that is done or its time is over.
    pub(crate) async fn release(mut self) {
        if let Some(task) = self.held.take().and_then(Held::give_back) {
            // The task logs what went wrong.
            let _ = task.await;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            drop(held.give_back());
        }
    }
}

impl Held {
    /// In a task of its own, so that it is done even where the request's future is gone.
    fn give_back(self) -> Option<JoinHandle<()>> {
        let runtime = Handle::try_current().ok()?;
        let permit = Arc::clone(&self.releases).try_acquire_owned().ok()?;
        Some(runtime.spawn(async move {
            let released = self.facilitator.release(&self.verification, &self.reservation);
            match tokio::time::timeout(RELEASE_TIMEOUT, released).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(
                    verification.id = %self.verification,
                    %error,
                    "a reservation could not be given back and has to lapse"
                ),
                Err(_) => tracing::warn!(
                    verification.id = %self.verification,
                    "giving a reservation back took too long and it has to lapse"
                ),
            }
            drop(permit);
        }))
    }
}
