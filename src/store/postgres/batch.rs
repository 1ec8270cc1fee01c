//! One batch of appends as one transaction.
//!
//! The head's row is the only lock that is waited for, and the last that is taken. What is decided
//! under it rests on facts that nobody can change meanwhile: every writer must hold it. Usually those
//! facts were fetched before, and only that the head still stands there is left to see; so the lock
//! is held for one statement and the commit. A conflict fails its own call and no other.

use ccd402_app::ports::log::{AppendError, Position};
use sqlx::{Connection as _, PgConnection};

use super::facts::{self, Facts, Questions};
use super::lease;
use super::rows::{self, Written};
use super::status::Known;
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::prepare::Call;

/// Each statement sees what was committed before it: so after the lock, everything up to the head.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const LOCK: &str = "SELECT position, hash FROM log_head WHERE id = 1 FOR UPDATE";

/// How a batch went; all of it is durable.
pub(super) struct Settled {
    /// Where the log ended before.
    pub(super) head: Tip,
    pub(super) written: Written,
    /// Of each call, in their order.
    pub(super) outcomes: Vec<Result<Position, AppendError>>,
}

/// Decides and writes. Calls that have happened already, as after a commit whose answer was lost,
/// are found to stand in their places.
pub(super) async fn settle(
    db: &mut PgConnection,
    calls: &[Call],
    is_alone: bool,
    known: Known,
) -> Result<Settled, Error> {
    let questions = Questions::of(calls.iter());
    let ahead = match is_alone {
        true => Some(Facts::fetch(db, &questions, calls.iter()).await?),
        false => None,
    };
    let owned = calls.to_vec();
    let mut transaction = db.begin_with(BEGIN).await?;
    let head = lock_head(&mut transaction).await?;
    known.check(head)?;
    let epochs = lease::epochs(&mut transaction, calls).await?;
    let facts = match ahead {
        Some(facts) if facts.tip == head => facts,
        _ => Facts::fetch(&mut transaction, &questions, calls.iter()).await?,
    };
    if facts.tip != head {
        return Err(Error::damaged(head.position, "the head moved while it was locked"));
    }
    let mut draft = Draft::new(&facts.table, head, owned.len());
    let admit = |call: Call| match epochs.must_be_newest(call.fence.as_ref()) {
        Ok(()) => draft.admit(call),
        Err(fenced) => Ok(Err(fenced)),
    };
    let outcomes = owned.into_iter().map(admit).collect::<Result<_, _>>()?;
    let written = if draft.is_empty() {
        transaction.rollback().await?;
        Written { tip: head, events: Vec::new(), counts: Vec::new() }
    } else {
        let written = rows::write(&mut transaction, head, draft).await?;
        transaction.commit().await?;
        written
    };
    Ok(Settled { head, written, outcomes })
}

/// Waits for the head, and where it stands then.
pub(super) async fn lock_head(db: &mut PgConnection) -> Result<Tip, Error> {
    let row = sqlx::query(LOCK).fetch_optional(db).await?;
    let gone = || Error::damaged(0, "the row that says where the log ends is gone");
    facts::head(&row.ok_or_else(gone)?)
}
