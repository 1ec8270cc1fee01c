//! Writes what events change, and the checkpoint with it, in one transaction of a few statements.
//!
//! Rows go as arrays, one a column. What events change is not decided here.

use ccd402_app::ports::log::Recorded;
use ccd402_app::ports::read_model::{Checkpoint, ReadModelError};
use ccd402_app::projections::resources;
use ccd402_app::projections::verifications::Changes;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres};
use uuid::Uuid;

use super::catalog;
use super::codec::{PatchColumns, RowColumns};
use super::failure::Failure;
use super::fence::Held;
use super::schema::{Build, COLUMNS};
use super::{listed, tallies};
use crate::postgres::batch::BEGIN;

/// The checkpoint of a build that holds nothing yet.
pub(super) const BEGINNING: Checkpoint = Checkpoint { position: 0, event: Uuid::nil() };

/// Applies the events that follow a build's checkpoint; where it stands then. Repeating it changes
/// nothing: so a commit whose answer was lost is made good.
pub(super) async fn apply(
    db: &mut PgConnection,
    build: &Build,
    held: Option<&Held>,
    events: &[Recorded],
) -> Result<Checkpoint, Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    if let Some(held) = held {
        held.must_be_newest(&mut transaction).await?;
    }
    let checkpoint = catalog::lock(&mut transaction, build).await?;
    let known = events.partition_point(|recorded| recorded.position <= checkpoint.position);
    let events = &events[known..];
    let Some((first, last)) = events.first().zip(events.last()) else {
        transaction.rollback().await?;
        return Ok(checkpoint);
    };
    let is_gapless = first.position == checkpoint.position + 1
        && last.position - first.position == events.len() as u64 - 1;
    if !is_gapless {
        let reason = format!("{} was offered after {}", first.position, checkpoint.position);
        return Err(ReadModelError::Failed(reason).into());
    }
    let changes = Changes::of(events).map_err(ReadModelError::from)?;
    let next = Checkpoint { position: last.position, event: last.id };
    write_changes(&mut transaction, build, &changes).await?;
    tallies::write(&mut transaction, build, events).await?;
    listed::write(&mut transaction, build, resources::Changes::of(events)).await?;
    catalog::move_to(&mut transaction, build, next).await?;
    if let Some(held) = held {
        held.lock(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(next)
}

async fn write_changes(
    db: &mut PgConnection,
    build: &Build,
    changes: &Changes,
) -> Result<(), Failure> {
    let table = build.table("verifications");
    if !changes.rows.is_empty() {
        let statement = insert(&table);
        let query = RowColumns::of(&changes.rows).bind(sqlx::query(AssertSqlSafe(statement)));
        execute(db, query, changes.rows.len()).await?;
    }
    if !changes.patches.is_empty() {
        let mut columns = PatchColumns::default();
        changes.patches.iter().for_each(|(id, patch)| columns.add(*id, patch));
        let query = columns.bind(sqlx::query(AssertSqlSafe(update(&table))));
        execute(db, query, changes.patches.len()).await?;
    }
    Ok(())
}

/// Every row must be met: one that is not there, or stands at another version, means that these are
/// not the rows of this log.
async fn execute(
    db: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    rows: usize,
) -> Result<(), Failure> {
    let done = query.execute(db).await?.rows_affected();
    if done == rows as u64 {
        return Ok(());
    }
    Err(ReadModelError::Damaged(format!("{done} rows of {rows} could be changed")).into())
}

fn insert(table: &str) -> String {
    format!(
        "INSERT INTO {table} ({}) SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], \
         $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], \
         $11::text[], $12::bytea[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], \
         $17::text[], $18::bytea[], $19::bigint[], $20::bytea[], $21::bigint[], $22::bigint[], \
         $23::text[], $24::bigint[])",
        COLUMNS.join(", ")
    )
}

pub(super) fn update(table: &str) -> String {
    // What is known of the outcome is changed as a whole, or not at all.
    let kept = |column: &str| {
        format!("{column} = CASE WHEN new.status IS NULL THEN old.{column} ELSE new.{column} END")
    };
    let outcome = ["code", "detail", "block_height", "block_hash", "block_time", "decided_at"];
    format!(
        "UPDATE {table} AS old SET version = new.version, changed = new.changed, \
         status = coalesce(new.status, old.status), {}, \
         usage = coalesce(new.usage, old.usage), reserved_until = \
         CASE WHEN new.usage IS NULL THEN old.reserved_until ELSE new.reserved_until END \
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], \
         $7::bytea[], $8::bigint[], $9::bytea[], $10::bigint[], $11::bigint[], $12::text[], \
         $13::bigint[]) AS new (id, follows, version, changed, status, code, detail, block_height, \
         block_hash, block_time, decided_at, usage, reserved_until) \
         WHERE old.id = new.id AND old.version = new.follows",
        outcome.map(kept).join(", ")
    )
}
