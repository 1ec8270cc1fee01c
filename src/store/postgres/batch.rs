//! One batch of appends as one transaction.
//!
//! The head's row is the only lock that is waited for, and the last that is taken. It is held for one
//! statement and the commit: what a batch rests on was looked up before, and only as far as the unique
//! keys do not tell it. What has come between is found in two ways. Streams and claims only grow, and
//! what waits changes with the stream of its verification: so an append that is no longer in order
//! breaks a unique key, and the batch is decided anew over facts that are fetched under the lock, where
//! nobody can change them. And nobody is refused but over such facts. A conflict fails its own call and
//! no other.

use ccd402_app::ports::log::{AppendError, Position};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::facts::{self, Facts, Questions, Table};
use super::lease::{self, Epochs};
use super::rows::{self, Written};
use super::status::Known;
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::prepare::Call;
use crate::queue::{Batch, Intake};

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

/// Decides and writes a batch, and what comes to it until the head is locked. Calls that have happened
/// already, as after a commit whose answer was lost, are found to stand in their places.
pub(super) async fn settle(
    db: &mut PgConnection,
    batch: &mut Batch,
    intake: &mut Intake,
    known: Known,
) -> Result<Settled, Error> {
    match settle_over_early(db, batch, intake, known).await {
        Err(error) if is_overtaken(&error) => {
            let mut transaction = db.begin_with(BEGIN).await?;
            let head = lock_head(&mut transaction).await?;
            known.check(head)?;
            finish(transaction, head, None, &batch.calls).await
        }
        settled => settled,
    }
}

/// Settles over what is known before the head is locked, as far as nobody is refused for it.
async fn settle_over_early(
    db: &mut PgConnection,
    batch: &mut Batch,
    intake: &mut Intake,
    known: Known,
) -> Result<Settled, Error> {
    let mut transaction = db.begin_with(BEGIN).await?;
    // Callers that the last batch has answered come again together, while the database answers.
    // Without waiting for them the first would make a batch of its own.
    intake.more(batch);
    let mut facts = Facts::fetch_early(&mut transaction, &batch.calls).await?;
    let head = lock_head(&mut transaction).await?;
    known.check(head)?;
    let early = batch.calls.len();
    intake.more(batch);
    facts.add(Facts::fetch_early(&mut transaction, &batch.calls[early..]).await?);
    finish(transaction, head, Some(facts), &batch.calls).await
}

/// What is left once the head is locked.
async fn finish(
    mut transaction: Transaction<'_, Postgres>,
    head: Tip,
    early: Option<Facts>,
    calls: &[Call],
) -> Result<Settled, Error> {
    let epochs = lease::epochs(&mut transaction, calls).await?;
    let decided = early.as_ref().map(|facts| decide(facts, head, &epochs, calls)).transpose()?;
    let facts;
    let (draft, outcomes) = match decided {
        Some((draft, outcomes)) if outcomes.iter().all(Result::is_ok) => (draft, outcomes),
        _ => {
            facts = Facts::fetch(&mut transaction, &Questions::of(calls), calls).await?;
            if facts.tip != head {
                return Err(Error::damaged(head.position, "the head moved while it was locked"));
            }
            decide(&facts, head, &epochs, calls)?
        }
    };
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

/// Whether a unique key says that something was there already which was taken for new.
fn is_overtaken(error: &Error) -> bool {
    let Error::Postgres(error) = error else { return false };
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

type Outcomes = Vec<Result<Position, AppendError>>;

/// What of the calls may happen, and what they write.
fn decide<'a>(
    facts: &'a Facts,
    head: Tip,
    epochs: &Epochs,
    calls: &[Call],
) -> Result<(Draft<'a, Table>, Outcomes), Error> {
    let mut draft = Draft::new(&facts.table, head, calls.len());
    let admit = |call: &Call| match epochs.must_be_newest(call.fence.as_ref()) {
        Ok(()) => draft.admit(call.clone()),
        Err(fenced) => Ok(Err(fenced)),
    };
    let outcomes = calls.iter().map(admit).collect::<Result<_, _>>()?;
    Ok((draft, outcomes))
}

/// Waits for the head, and where it stands then.
pub(super) async fn lock_head(db: &mut PgConnection) -> Result<Tip, Error> {
    let row = sqlx::query(LOCK).fetch_optional(db).await?;
    let gone = || Error::damaged(0, "the row that says where the log ends is gone");
    facts::head(&row.ok_or_else(gone)?)
}
