//! Why a worker stopped before it was told to.

use ccd402_app::error::Error as AppError;
use ccd402_app::ports::log::{AppendError, ReadError};

/// A worker cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read or written; the process must stop.
    #[error("the event log failed: {0}")]
    Log(String),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Log(error.to_string())
    }
}

/// Whether an error of a use case means that the log itself is gone.
pub(crate) fn is_log_broken(error: &AppError) -> bool {
    matches!(
        error,
        AppError::Append(AppendError::Broken(_))
            | AppError::Read(_)
            | AppError::BrokenHistory(_)
            | AppError::Event(_)
    )
}
