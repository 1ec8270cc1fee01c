//! The port of read models of the past: each of one position of the log, beside the one that is read.
//!
//! Whose they are, how many are kept, and who builds them is the use case's business.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ports::log::Position;
use crate::ports::read_model::{ReadModel, ReadModelError};

/// Keeps read models of the past.
#[async_trait]
pub trait Archive: Send + Sync {
    /// A read model for the past up to a position; nothing is in it before it is built.
    ///
    /// # Errors
    /// Where there is no room for it.
    async fn open(&self, until: Position) -> Result<Arc<dyn ReadModel>, ReadModelError>;

    /// Removes what was kept of it, which nobody reads any more.
    async fn remove(&self, until: Position);
}
