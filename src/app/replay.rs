//! Replays the log into rows that are being built, a page at a time: while one page is written, the
//! next is read.
//!
//! When it is stepped, and what becomes of the rows, is decided by whoever replays.

use std::sync::Arc;

use crate::error::Error;
use crate::ports::log::{EventLog, Position, READ_EVENTS_MAX, Recorded};
use crate::ports::read_model::Rows;

/// A replay under way, into rows that will be read, or compared.
pub struct Replay<R: Rows + ?Sized> {
    log: Arc<dyn EventLog>,
    rows: Box<R>,
    /// What was read and is not written yet.
    page: Vec<Recorded>,
}

impl<R: Rows + ?Sized> Replay<R> {
    /// A replay from where the rows are.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, rows: Box<R>) -> Self {
        Self { log, rows, page: Vec::new() }
    }

    /// The newest event that is in the rows.
    #[must_use]
    pub fn position(&self) -> Position {
        self.rows.position()
    }

    /// Writes the page that was read and reads the next, up to a position; whether there is more.
    ///
    /// # Errors
    /// Where the log cannot be read, or the rows cannot be written.
    pub async fn step(&mut self, until: Position) -> Result<bool, Error> {
        let read = self.page.last().map_or(self.rows.position(), |last| last.position);
        let left = usize::try_from(until.saturating_sub(read)).unwrap_or(READ_EVENTS_MAX);
        let reading = async {
            match left {
                0 => Ok(Vec::new()),
                left => self.log.read_all(read, left.min(READ_EVENTS_MAX)).await,
            }
        };
        let (written, next) = tokio::join!(self.rows.apply(&self.page), reading);
        written?;
        self.page = next?;
        Ok(!self.page.is_empty())
    }

    /// The rows, as far as they have come.
    #[must_use]
    pub fn into_rows(self) -> Box<R> {
        self.rows
    }

    /// The same, to be asked for something else between two steps.
    pub(crate) fn rows_mut(&mut self) -> &mut R {
        &mut self.rows
    }
}
