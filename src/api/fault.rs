//! What callers hear when a use case fails, and what the operator reads. Callers never see
//! internals.

use std::time::Duration;

use ccd402_app::error::Error;
use ccd402_app::ports::chain::ChainError;
use ccd402_app::ports::log::AppendError;
use ccd402_app::ports::read_model::ReadModelError;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::api::Api;
use crate::problem::Problem;

/// Longest part of an explanation that is passed on to the caller.
const DETAIL_CHARS_MAX: usize = 300;
/// How soon some of what waits may have been decided: a few blocks.
const WAITING_RETRY_AFTER: Duration = Duration::from_secs(5);

impl Api {
    /// The problem that an error is to a caller. Logged here, once.
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
    pub(crate) fn fault(&self, error: Error) -> Problem {
        match &error {
            Error::Malformed(detail) => {
                Problem::malformed(detail.chars().take(DETAIL_CHARS_MAX).collect::<String>())
            }
            Error::Behind | Error::ReadModel(ReadModelError::Building) => {
                unavailable(ReasonCode::ProjectionBehind)
            }
            Error::ReadModel(ReadModelError::TooLarge) => {
                let detail = "the answer takes too long: ask for a shorter time, or filter more";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, ReasonCode::Overloaded, detail)
            }
            Error::Overloaded
            | Error::Contended
            | Error::Chain(ChainError::Busy)
            | Error::ReadModel(ReadModelError::Busy) => {
                tracing::debug!(%error, "a request was turned away");
                Problem::overloaded()
            }
            Error::TooManyWaiting => {
                Problem::too_many(ReasonCode::TooManyWaiting, WAITING_RETRY_AFTER)
            }
            Error::Append(AppendError::TooLarge(_)) => {
                Problem::of(StatusCode::PAYLOAD_TOO_LARGE, ReasonCode::RequestTooLarge)
            }
            Error::Append(AppendError::Broken(_)) => {
                self.health.log_broken();
                tracing::error!(%error, "the log cannot be written: restart when it can");
                unavailable(ReasonCode::LogUnavailable)
            }
            Error::Append(AppendError::Unavailable(_)) => {
                tracing::warn!(%error, "a request could not be served without the log's database");
                unavailable(ReasonCode::LogUnavailable)
            }
            Error::Read(_) => {
                tracing::error!(%error, "the log cannot be read");
                unavailable(ReasonCode::LogUnavailable)
            }
            Error::Chain(ChainError::Unavailable(_)) => {
                tracing::warn!(%error, "a request could not be served without a node");
                unavailable(ReasonCode::NodeUnavailable)
            }
            Error::Chain(_)
            | Error::Append(_)
            | Error::BrokenHistory(_)
            | Error::Event(_)
            | Error::ReadModel(_) => {
                tracing::error!(%error, "a request could not be served because of a fault");
                Problem::internal()
            }
        }
    }
}

fn unavailable(code: ReasonCode) -> Problem {
    Problem::of(StatusCode::SERVICE_UNAVAILABLE, code)
}
