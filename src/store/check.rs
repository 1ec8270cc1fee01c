//! Checks that the log's lines are those that were written, and that the index of streams says of
//! each what it says itself. What is wrong is named by its position; nothing is repaired.

use std::ops::Range;

use ccd402_app::ports::log::{Checked, Position};

use crate::envelope::{self, Chain};
use crate::error::Error;
use crate::keys;
use crate::read::{each_line, line, page_end};
use crate::table::Table;

/// Checks every hash and link after a position up to another; the chain as it ends.
pub(crate) fn verify(table: &impl Table, places: Range<Position>) -> Result<Chain, Error> {
    let mut chain = match places.start {
        0 => Chain::default(),
        after => Chain::after(after, envelope::hash_at(after, &line(table, after)?)?),
    };
    let mut key = Vec::new();
    each_line(table, places, |position, bytes| {
        let (stream, version) = chain.check(bytes)?;
        keys::write_stream(&mut key, &stream, version);
        let indexed = table.value(&key)?;
        if indexed.as_deref().and_then(keys::number) != Some(position) {
            let reason = format!("it is not version {version} of {stream}");
            return Err(Error::damaged(position, reason));
        }
        Ok(())
    })?;
    Ok(chain)
}

/// As [`verify`], of at most `max` lines up to the head.
pub(crate) fn check(
    table: &impl Table,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Checked, Error> {
    let chain = verify(table, after..page_end(head, after, max).max(after))?;
    Ok(Checked { position: chain.position(), hash: chain.hash() })
}
