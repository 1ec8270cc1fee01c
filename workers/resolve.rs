//! One try at moving a verification on, as jobs tell of it.

use ccd402_app::facilitator::Facilitator;
use ccd402_domain::ids::VerificationId;

use crate::jobs::Ran;

/// Moves a verification as far as it can go now. A fault is not final: the chain may answer again,
/// and where the log is gone the process is about to stop.
pub(crate) async fn resolve(facilitator: &Facilitator, id: VerificationId) -> Ran {
    match facilitator.resolve(id).await {
        Ok(Some(_)) => Ran::Done,
        Ok(None) => Ran::Dead { why: format!("the log has no verification {id}") },
        Err(error) => Ran::Retry { why: error.to_string() },
    }
}
