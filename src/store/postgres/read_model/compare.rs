//! Compares the rows that are read with those that a replay has made, each with each, column by
//! column.
//!
//! The rows that are read are held by a connection of its own: a snapshot, beside which they go on
//! being written. The database keeps what was written since, so it ends after a while. Nothing is
//! repaired here.

use std::time::Instant;

use async_trait::async_trait;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{Compared, Comparison, ReadModelError, Rows};
use sqlx::{AssertSqlSafe, PgConnection};

use super::build::Beside;
use super::catalog::{self, Current};
use super::codec::{get, number};
use super::connection::{HOLD_MAX, holding};
use super::failure::{Failure, retry};
use super::schema::{Build, COLUMNS, RESOURCE_COLUMNS};
use super::view::SNAPSHOT;
use super::{Shared, bounded};
use crate::alike::{self, PAGE_ROWS, Pages, TextRow};
use crate::flat::int;
use crate::tallied;

/// What is compared.
const TABLES: [(&str, &[&str]); 2] = [("verifications", COLUMNS), ("resources", RESOURCE_COLUMNS)];
/// What is compared where these are alike.
const COUNTS: &str = "tallies";

/// Rows beside those that are read, and a view of these.
pub(super) struct Comparing {
    rows: Beside,
    held: Option<Snapshot>,
}

/// What is read, as it was once.
struct Snapshot {
    connection: PgConnection,
    build: Build,
    position: Position,
    until: Instant,
}

impl Comparing {
    pub(super) fn new(rows: Beside) -> Self {
        Self { rows, held: None }
    }
}

#[async_trait]
impl Rows for Comparing {
    fn position(&self) -> Position {
        self.rows.position()
    }

    async fn apply(&mut self, events: &[Recorded]) -> Result<(), ReadModelError> {
        self.rows.apply(events).await
    }
}

#[async_trait]
impl Comparison for Comparing {
    async fn hold(&mut self) -> Result<Position, ReadModelError> {
        // What was held before is let go.
        self.held = None;
        let shared = &*self.rows.shared;
        let snapshot = retry(shared.retry_max, || bounded(hold(shared))).await?;
        let position = snapshot.position;
        self.held = Some(snapshot);
        Ok(position)
    }

    async fn end(mut self: Box<Self>) -> Result<Compared, ReadModelError> {
        let position = self.rows.position();
        let Some(snapshot) = &mut self.held else { return Err(ReadModelError::Building) };
        let at = snapshot.position;
        if at != position {
            let reason = format!("rows of {position} cannot be compared with those of {at}");
            return Err(ReadModelError::Failed(reason));
        }
        let left = snapshot.until.saturating_duration_since(Instant::now());
        let compared = match tokio::time::timeout(left, compare(&mut self.rows, snapshot)).await {
            Ok(compared) => compared,
            Err(_) => Err(ReadModelError::TooLarge),
        };
        let compared = self.rows.shared.judge(compared).await?;
        Ok(Compared { position, ..compared })
    }
}

/// Takes a snapshot, and sees to it that its tables are not dropped.
async fn hold(shared: &Shared) -> Result<Snapshot, Failure> {
    let mut connection = holding(&shared.options).await?;
    sqlx::raw_sql(SNAPSHOT).execute(&mut connection).await?;
    let current = catalog::current(&mut connection, shared.version).await?;
    let current = current.filter(|current| !shared.known.is_refused(&current.build));
    let Some(Current { build, checkpoint, .. }) = current else {
        return Err(ReadModelError::Building.into());
    };
    for table in TABLES.map(|(table, _)| table).into_iter().chain([COUNTS]) {
        let touch = format!("SELECT number FROM {} LIMIT 1", build.table(table));
        sqlx::query(AssertSqlSafe(touch)).fetch_optional(&mut connection).await?;
    }
    let until = Instant::now() + HOLD_MAX;
    Ok(Snapshot { connection, build, position: checkpoint.position, until })
}

async fn compare(made: &mut Beside, read: &mut Snapshot) -> Result<Compared, ReadModelError> {
    let mut connection = made.connection().await?;
    let mut found = alike::nothing();
    for (table, columns) in TABLES {
        let values = columns.join(", ");
        let made = Side::of(&mut connection, &made.build.table(table), &values);
        let read = Side::of(&mut read.connection, &read.build.table(table), &values);
        alike::compare(columns, made, read, &mut found).await?;
    }
    let values = tallied::compared();
    let made = Side::of(&mut connection, &made.build.table(COUNTS), &values);
    let read = Side::of(&mut read.connection, &read.build.table(COUNTS), &values);
    alike::compare_counts(made, read, &mut found).await?;
    Ok(found)
}

/// One table of one side.
struct Side<'a> {
    connection: &'a mut PgConnection,
    rows: String,
}

impl<'a> Side<'a> {
    fn of(connection: &'a mut PgConnection, table: &str, values: &str) -> Self {
        let rows = format!(
            "SELECT number, json_build_array({values})::text FROM {table} WHERE number > $1 \
             ORDER BY number LIMIT {PAGE_ROWS}"
        );
        Self { connection, rows }
    }
}

impl Pages for Side<'_> {
    async fn page(&mut self, after: Position) -> Result<Vec<TextRow>, ReadModelError> {
        let query = sqlx::query(AssertSqlSafe(self.rows.as_str())).bind(int(after));
        let found = query.fetch_all(&mut *self.connection).await.map_err(Failure::from)?;
        found.iter().map(|row| Ok((number(row, 0)?, get(row, 1)?))).collect()
    }
}
