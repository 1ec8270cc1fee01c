//! Where in the log a moment is: found by halving, for events stand in the order of their times. Where
//! clocks were set back it is one of the places around that time.

use chrono::{DateTime, Utc};

use crate::ports::log::{EventLog, Position, ReadError};

/// The position of the last event of a time of which this is so, as of all before; 0 where there is
/// none.
///
/// # Errors
/// Where the log cannot be read.
pub(crate) async fn last_where(
    log: &dyn EventLog,
    is_so: impl Fn(DateTime<Utc>) -> bool + Send,
) -> Result<Position, ReadError> {
    let (mut least, mut most) = (0, *log.head().borrow());
    while least < most {
        let middle = most - (most - least) / 2;
        match log.read_all(middle - 1, 1).await?.first() {
            Some(event) if is_so(event.time) => least = middle,
            _ => most = middle - 1,
        }
    }
    Ok(least)
}
