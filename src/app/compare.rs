//! Whether replaying equals living: the log is folded again from its first event, beside what is
//! read, and all rows are compared.
//!
//! Nothing is repaired here. What is read goes on being read and written meanwhile: it is compared
//! as it was when the replay had caught up with it.

use std::sync::Arc;

use crate::error::Error;
use crate::ports::log::Position;
use crate::ports::read_model::{Compared, Comparison, ReadModelError};
use crate::reads::Reads;
use crate::replay::Replay;

/// A comparison under way. Dropped, it leaves nothing behind.
pub struct Comparing {
    reads: Arc<Reads>,
    replay: Replay<dyn Comparison>,
    until: Position,
    /// Whether `until` is where the rows that are compared with stand.
    is_held: bool,
}

impl Reads {
    /// Begins to compare.
    ///
    /// # Errors
    /// Where there are no rows to compare with, or none can be made beside them.
    pub async fn compare(self: &Arc<Self>) -> Result<Comparing, Error> {
        let there = self.model.checkpoint().await?.ok_or(ReadModelError::Building)?;
        let replay = Replay::new(Arc::clone(&self.log), self.model.compare().await?);
        Ok(Comparing { reads: Arc::clone(self), replay, until: there.position, is_held: false })
    }
}

impl Comparing {
    /// The newest event that was replayed.
    #[must_use]
    pub fn position(&self) -> Position {
        self.replay.position()
    }

    /// The event up to which is replayed, as far as is known.
    #[must_use]
    pub fn until(&self) -> Position {
        self.until
    }

    /// Replays some more; whether there is more to replay.
    ///
    /// # Errors
    /// Where the log cannot be read, or the rows cannot be written or held.
    pub async fn step(&mut self) -> Result<bool, Error> {
        if self.replay.step(self.until).await? {
            return Ok(true);
        }
        if self.is_held {
            return Ok(false);
        }
        // What is read has moved on while it was replayed: only now is the rest known, and little.
        self.until = self.replay.rows_mut().hold().await?;
        if self.until < self.position() {
            // A rebuild that was swapped in just now is a little behind what was read before.
            self.reads.reach(Some(self.position())).await?;
            return Ok(true);
        }
        self.is_held = true;
        Ok(true)
    }

    /// Compares all rows.
    ///
    /// # Errors
    /// Where rows cannot be read: those that are damaged are not read by anybody any more.
    pub async fn end(self) -> Result<Compared, Error> {
        Ok(self.replay.into_rows().end().await?)
    }
}
