//! `GET /v1/stats`: what verifications amount to, and how far the read model lags behind.
//!
//! The statistics follow from events alone, so the same log gives the same answer at any time. The
//! lag does not, and is told only where it is asked for.

use crate::error::Error;
use crate::ports::log::Position;
use crate::ports::read_model::{Filter, Stats, Step};
use crate::reads::Reads;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Of which rows.
    pub filter: Filter,
    /// How wide the steps over time are.
    pub step: Step,
    /// The event that must be in the answer.
    pub min_position: Option<Position>,
}

impl Reads {
    /// Counts verifications and sums what they amount to.
    ///
    /// # Errors
    /// Where the read model is behind, or too slow for so many.
    pub async fn stats(&self, query: &Query) -> Result<Stats, Error> {
        self.reach(query.min_position).await?;
        Ok(self.model.stats(&query.filter, query.step).await?)
    }

    /// How many events the log is ahead of an answer, now.
    #[must_use]
    pub fn lag(&self, as_of: Position) -> u64 {
        self.log.head().borrow().saturating_sub(as_of)
    }
}
