//! One try at moving a verification on, as jobs tell of it.

use std::time::Duration;

use ccd402_app::error::Error;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::ChainError;
use ccd402_domain::ids::VerificationId;
use chrono::Utc;

use crate::backoff::wait_after;
use crate::jobs::Ran;

/// First and longest wait while no node answers.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Moves a verification as far as it can go now.
///
/// That nodes are away or busy is no fault of the job: it is tried until they answer, or until the
/// verification is given up for another reason. Any other fault counts.
pub(crate) async fn resolve(facilitator: &Facilitator, id: VerificationId, attempt: u32) -> Ran {
    match facilitator.resolve(id).await {
        Ok(Some(_)) => Ran::Done,
        Ok(None) => Ran::Dead { why: format!("the log has no verification {id}") },
        Err(
            error @ (Error::Chain(ChainError::Unavailable(_) | ChainError::Busy)
            | Error::Overloaded
            | Error::Contended),
        ) => {
            let wait = wait_after(attempt, RETRY.0, RETRY.1);
            Ran::RetryAt { at: Utc::now() + wait, why: error.to_string() }
        }
        Err(error) => Ran::Retry { why: error.to_string() },
    }
}
