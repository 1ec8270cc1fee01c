//! What can go wrong on our side of a use case. A refused payment is no error: it is an answer.

use ccd402_domain::event::EventError;
use ccd402_domain::verification::state::BrokenHistory;

use crate::ports::chain::ChainError;
use crate::ports::log::{AppendError, ReadError};
use crate::ports::read_model::ReadModelError;

/// We failed; nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body is not what the route takes.
    #[error("{0}")]
    Malformed(String),
    /// More waits than is allowed. Try again later.
    #[error("too much is waiting")]
    Overloaded,
    /// More of the tenant's waits than is allowed. Try again later.
    #[error("too much of the tenant's is waiting")]
    TooManyWaiting,
    /// The same stream was changed too often while we decided. Try again.
    #[error("too many appends to one stream at once")]
    Contended,
    /// The log did not take an append.
    #[error(transparent)]
    Append(AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stream cannot have come from decisions.
    #[error(transparent)]
    BrokenHistory(#[from] BrokenHistory),
    /// An event could not be written as JSON or read back.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The read model has not come as far as the caller wants. Try again later.
    #[error("the read model has not come that far")]
    Behind,
    /// The read model could not be asked.
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    /// The chain could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy => Self::Overloaded,
            other => Self::Append(other),
        }
    }
}
