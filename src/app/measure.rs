//! How long things took that only use cases know. Names and meanings are in ops/metrics.md.

use std::time::Instant;

use ccd402_domain::rejection::Rejection;
use chrono::{DateTime, Utc};
use metrics::histogram;

use crate::ports::chain::ChainError;

/// A verification that was handed in then is decided now.
pub(crate) fn decided(requested_at: DateTime<Utc>, now: DateTime<Utc>) {
    // A clock that was set back makes no negative time.
    let took = (now - requested_at).to_std().unwrap_or_default();
    histogram!("ccd402_decision_seconds").record(took.as_secs_f64());
}

/// A presentation was looked at.
pub(crate) fn identity_checked<T>(
    begun_at: Instant,
    checked: &Result<Result<T, Rejection>, ChainError>,
) {
    let result = match checked {
        Ok(Ok(_)) => "holds",
        Ok(Err(_)) => "refused",
        Err(_) => "undecided",
    };
    let took = begun_at.elapsed().as_secs_f64();
    histogram!("ccd402_identity_check_seconds", "result" => result).record(took);
}
