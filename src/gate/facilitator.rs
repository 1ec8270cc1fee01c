//! Asking the facilitator: once whether a payment is good, patiently to use it up.
//!
//! Every request gets idempotency keys of its own: a repeat within the request is answered as
//! before, while the same payment in another request is a second use.

use std::sync::Arc;
use std::time::Duration;

use ccd402_client::facilitator::{Error, Facilitator};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::{SettleResponse, VerifyRequest, VerifyResponse};
use rand::Rng as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::reservation::{RELEASES_MAX, Reservation};

/// Times that `/settle` is asked for one request.
const SETTLE_ATTEMPTS_MAX: u32 = 3;
/// Pause before the second attempt; it doubles after that.
const SETTLE_PAUSE: Duration = Duration::from_millis(200);
/// Verifications that wait at the same time, of clients that are there and of those that left.
const VERIFICATIONS_MAX: usize = 4_096;

/// The facilitator as the gate asks it.
pub(crate) struct Desk {
    facilitator: Arc<dyn Facilitator>,
    verify_timeout: Duration,
    settle_timeout: Duration,
    verifications: Arc<Semaphore>,
    releases: Arc<Semaphore>,
}

/// Why there is no answer. It is logged where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// We ask too much already.
    Overloaded,
    /// It failed, or took too long; where it asked for a pause, so many seconds.
    Unavailable(Option<u64>),
}

impl Desk {
    pub(crate) fn new(
        facilitator: Arc<dyn Facilitator>,
        verify_timeout: Duration,
        settle_timeout: Duration,
    ) -> Self {
        Self {
            facilitator,
            verify_timeout,
            settle_timeout,
            verifications: Arc::new(Semaphore::new(VERIFICATIONS_MAX)),
            releases: Arc::new(Semaphore::new(RELEASES_MAX)),
        }
    }

    /// Asks whether the payment is good.
    ///
    /// In a task of its own: where the client goes away before the answer comes, what the answer
    /// reserved is dropped with it, and so given back.
    pub(crate) async fn verify(
        &self,
        request: Arc<VerifyRequest>,
    ) -> Result<(VerifyResponse, Reservation), Unanswered> {
        let permit = Arc::clone(&self.verifications)
            .try_acquire_owned()
            .map_err(|_| Unanswered::Overloaded)?;
        let facilitator = Arc::clone(&self.facilitator);
        let releases = Arc::clone(&self.releases);
        let timeout = self.verify_timeout;
        let task = tokio::spawn(async move {
            let key = Uuid::new_v4().to_string();
            let asked = facilitator.verify(&request, Some(&key));
            let answer = tokio::time::timeout(timeout, asked).await.unwrap_or_else(|_| too_slow());
            drop(permit);
            let answer = answer?;
            let reservation = Reservation::of(&answer, &facilitator, &releases);
            Ok((answer, reservation))
        });
        let answer = task.await.unwrap_or_else(|_| Err(Error::Misused("its client panicked")));
        answer.map_err(|error: Error| unanswered(&error, "a payment could not be verified"))
    }

    /// Settles a payment that was not verified before. Unlike the others these calls are open to
    /// whoever comes, so as many wait at the same time as verifications do.
    pub(crate) async fn settle_first(
        &self,
        request: &VerifyRequest,
    ) -> Result<SettleResponse, Unanswered> {
        let _permit = self.verifications.try_acquire().map_err(|_| Unanswered::Overloaded)?;
        self.settle(request).await
    }

    /// Uses the payment up. An answer that is not final, or none at all, makes it ask again.
    pub(crate) async fn settle(
        &self,
        request: &VerifyRequest,
    ) -> Result<SettleResponse, Unanswered> {
        let key = Uuid::new_v4().to_string();
        let asked = self.settle_repeatedly(request, &key);
        let answer =
            tokio::time::timeout(self.settle_timeout, asked).await.unwrap_or_else(|_| too_slow());
        answer.map_err(|error| unanswered(&error, "a payment could not be settled"))
    }

    async fn settle_repeatedly(
        &self,
        request: &VerifyRequest,
        key: &str,
    ) -> Result<SettleResponse, Error> {
        let mut attempt = 1;
        loop {
            let answer = self.facilitator.settle(request, Some(key)).await;
            if attempt == SETTLE_ATTEMPTS_MAX {
                return answer;
            }
            match answer {
                Ok(answer) if is_pending(&answer) => {}
                Err(Error::Unavailable(_)) => tokio::time::sleep(pause(attempt)).await,
                Err(Error::Busy { retry_after }) => {
                    tokio::time::sleep(retry_after.max(pause(attempt))).await;
                }
                answer => return answer,
            }
            attempt += 1;
        }
    }
}

/// The protocol's own sign to ask the same again, at once: the next call is held open.
fn is_pending(answer: &SettleResponse) -> bool {
    let code = ReasonCode::SettlementPending.as_str();
    !answer.success && answer.error_reason.as_deref() == Some(code)
}

fn pause(attempt: u32) -> Duration {
    let longest = SETTLE_PAUSE * 2_u32.pow(attempt - 1);
    longest.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
}

fn too_slow<T>() -> Result<T, Error> {
    Err(Error::Unavailable("it took too long".to_owned()))
}

fn unanswered(error: &Error, what: &'static str) -> Unanswered {
    tracing::warn!(%error, "{what}");
    match error {
        Error::Busy { retry_after } => Unanswered::Unavailable(Some(retry_after.as_secs().max(1))),
        _ => Unanswered::Unavailable(None),
    }
}
