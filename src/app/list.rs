//! `GET /v1/verifications`: rows by filter, newest first, a page at a time.
//!
//! A row's place never changes and new rows come before all others, so pages that are read while
//! verifications are made neither repeat nor skip one.

use crate::cursor;
use crate::error::Error;
use crate::ports::log::Position;
use crate::ports::read_model::{Filter, PAGE_ROWS_MAX, Page};
use crate::projections::verifications::Row;
use crate::reads::Reads;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Which rows.
    pub filter: Filter,
    /// From the page before, with the same filter.
    pub cursor: Option<String>,
    /// Most rows; at most [`PAGE_ROWS_MAX`].
    pub limit: usize,
    /// The event that must be in the answer.
    pub min_position: Option<Position>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The newest event that is in it.
    pub as_of: Position,
    /// Newest first.
    pub rows: Vec<Row>,
    /// For the next page, if there is one.
    pub next: Option<String>,
}

impl Reads {
    /// Lists verifications.
    ///
    /// # Errors
    /// A cursor that is none of this list, a limit out of bounds, or a fault of ours.
    pub async fn list(&self, query: &Query) -> Result<Listed, Error> {
        let Query { filter, limit, .. } = query;
        if !(1..=PAGE_ROWS_MAX).contains(limit) {
            return Err(Error::Malformed(format!("limit is 1 to {PAGE_ROWS_MAX}")));
        }
        let after = match &query.cursor {
            None => None,
            Some(text) => Some(cursor::read(text, filter).ok_or_else(|| {
                Error::Malformed("the cursor is none that was given for this list".to_owned())
            })?),
        };
        self.reach(query.min_position).await?;
        let Page { as_of, rows, has_more } = self.model.list(filter, after, *limit).await?;
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|row| cursor::write(row.place(), filter));
        Ok(Listed { as_of, rows, next })
    }
}
