//! Positions and versions as PostgreSQL has them: 64 bits with a sign.

use crate::error::Error;

/// For the database. Numbers that it cannot hold stand above all that it holds.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From the database.
pub(super) fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::damaged(0, format!("{number} is no position")))
}
