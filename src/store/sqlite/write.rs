//! Writes what events change, and the checkpoint with it, in one transaction.
//!
//! Many rows go into one statement: a statement's way to SQLite's thread and back costs more than
//! its work. What events change is not decided here.

use std::sync::LazyLock;

use ccd402_app::ports::log::Recorded;
use ccd402_app::ports::read_model::{Checkpoint, ReadModelError as Error};
use ccd402_app::projections::resources;
use ccd402_app::projections::verifications::Changes;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use uuid::Uuid;

use super::codec::Values;
use super::failure;
use super::schema::COLUMNS;
use super::{resources as listed, tallies};
use crate::flat::int;

/// Rows of one statement: as many as are left of the largest, then of the next. Few texts, so that
/// each is prepared once.
pub(super) const CHUNKS: [usize; 3] = [64, 8, 1];
/// Parameters of a change.
const PATCH_COLUMNS: usize = 13;

static INSERTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let columns = COLUMNS.join(", ");
    let insert = |rows| {
        format!("INSERT INTO verifications ({columns}) VALUES {}", tuples(COLUMNS.len(), rows))
    };
    CHUNKS.into_iter().map(insert).collect()
});

static UPDATES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let update = |rows| {
        format!(
            "UPDATE verifications INDEXED BY by_id SET version = p.column3, changed = p.column4, \
             status = coalesce(p.column5, status), \
             code = iif(p.column5 IS NULL, code, p.column6), \
             detail = iif(p.column5 IS NULL, detail, p.column7), \
             block_height = iif(p.column5 IS NULL, block_height, p.column8), \
             block_hash = iif(p.column5 IS NULL, block_hash, p.column9), \
             block_time = iif(p.column5 IS NULL, block_time, p.column10), \
             decided_at = iif(p.column5 IS NULL, decided_at, p.column11), \
             usage = coalesce(p.column12, usage), \
             reserved_until = iif(p.column12 IS NULL, reserved_until, p.column13) \
             FROM (VALUES {}) AS p \
             WHERE verifications.id = p.column1 AND verifications.version = p.column2",
            tuples(PATCH_COLUMNS, rows)
        )
    };
    CHUNKS.into_iter().map(update).collect()
});

pub(super) fn tuples(columns: usize, rows: usize) -> String {
    let tuple = format!("({})", vec!["?"; columns].join(", "));
    vec![tuple; rows].join(", ")
}

/// The checkpoint of a file that holds nothing yet.
pub(super) const BEGINNING: Checkpoint = Checkpoint { position: 0, event: Uuid::nil() };

/// Applies the events that follow a checkpoint; where it stands then.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    checkpoint: Checkpoint,
    events: &[Recorded],
) -> Result<Checkpoint, Error> {
    let known = events.partition_point(|recorded| recorded.position <= checkpoint.position);
    let events = &events[known..];
    let Some((first, last)) = events.first().zip(events.last()) else { return Ok(checkpoint) };
    let is_gapless = first.position == checkpoint.position + 1
        && last.position - first.position == events.len() as u64 - 1;
    if !is_gapless {
        let reason = format!("{} was offered after {}", first.position, checkpoint.position);
        return Err(Error::Failed(reason));
    }
    let changes = Changes::of(events)?;
    let next = Checkpoint { position: last.position, event: last.id };
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failure)?;
    write_changes(&mut transaction, &changes).await?;
    listed::write(&mut transaction, resources::Changes::of(events)).await?;
    tallies::write(&mut transaction, events).await?;
    sqlx::query("UPDATE checkpoint SET position = ?1, event = ?2")
        .bind(int(next.position))
        .bind(next.event.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(failure)?;
    transaction.commit().await.map_err(failure)?;
    Ok(next)
}

async fn write_changes(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), Error> {
    let mut rest = &changes.rows[..];
    while let Some((chunk, statement)) = next_chunk(rest, &INSERTS) {
        let mut values = Values::default();
        chunk.iter().for_each(|row| values.row(row));
        execute(connection, statement, values, chunk.len()).await?;
        rest = &rest[chunk.len()..];
    }
    let patches: Vec<_> = changes.patches.iter().collect();
    let mut rest = &patches[..];
    while let Some((chunk, statement)) = next_chunk(rest, &UPDATES) {
        let mut values = Values::default();
        chunk.iter().for_each(|(id, patch)| values.patch(**id, patch));
        execute(connection, statement, values, chunk.len()).await?;
        rest = &rest[chunk.len()..];
    }
    Ok(())
}

/// The first rows of what is left that one statement takes, and that statement.
pub(super) fn next_chunk<'a, T>(
    rest: &'a [T],
    statements: &'static [String],
) -> Option<(&'a [T], &'static str)> {
    let at = CHUNKS.iter().position(|rows| *rows <= rest.len())?;
    Some((&rest[..CHUNKS[at]], &statements[at]))
}

/// Every row must be met: one that is not there, or stands at another version, means that these are
/// not the rows of this log.
async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
    values: Values,
    rows: usize,
) -> Result<(), Error> {
    // Made of constants alone.
    let query = sqlx::query_with(AssertSqlSafe(statement), values.into_arguments());
    let done = query.execute(connection).await.map_err(failure)?;
    if done.rows_affected() == rows as u64 {
        return Ok(());
    }
    Err(Error::Damaged(format!("{} rows of {rows} could be changed", done.rows_affected())))
}

/// The statement of most changes, for a look at how SQLite goes about it.
#[cfg(test)]
pub(super) fn largest_update() -> &'static str {
    &UPDATES[0]
}
