//! Compares the rows that are read with those that a replay has made, each with each, column by
//! column.
//!
//! The rows that are read are held by a connection of its own, which only reads: a snapshot, beside
//! which they go on being written. Nothing is repaired here.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{Compared, Comparison, ReadModelError as Error, Rows};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

use super::codec::{get, number};
use super::file::RowFile;
use super::schema::{COLUMNS, RESOURCE_COLUMNS};
use super::{Shared, failure, live};
use crate::alike::{self, PAGE_ROWS, Pages, TextRow};
use crate::flat::int;
use crate::tallied;

/// Rows of verifications, of resources, and of counts, as they are compared.
static ROWS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [
        rows("verifications", &COLUMNS.join(", ")),
        rows("resources", &RESOURCE_COLUMNS.join(", ")),
        rows("tallies", &tallied::compared()),
    ]
});

/// Rows after a number, each as one text.
fn rows(table: &str, values: &str) -> String {
    format!(
        "SELECT number, json_array({values}) FROM {table} WHERE number > ?1 ORDER BY number \
         LIMIT {PAGE_ROWS}"
    )
}

/// A file beside the one that is read, and a view of that.
pub(super) struct Beside {
    shared: Arc<Shared>,
    file: RowFile,
    held: Option<(SqliteConnection, Position)>,
}

impl Beside {
    pub(super) async fn create(shared: Arc<Shared>) -> Result<Self, Error> {
        let file = RowFile::create(&shared.files.comparing()).await?;
        Ok(Self { shared, file, held: None })
    }
}

#[async_trait]
impl Rows for Beside {
    fn position(&self) -> Position {
        self.file.position()
    }

    async fn apply(&mut self, events: &[Recorded]) -> Result<(), Error> {
        self.file.apply(events).await
    }
}

#[async_trait]
impl Comparison for Beside {
    async fn hold(&mut self) -> Result<Position, Error> {
        // What was held before is let go: SQLite keeps all that was written since.
        self.held = None;
        // Nobody puts another file in its place while it is opened.
        let live = self.shared.live.read().await;
        if live.is_none() {
            return Err(Error::Building);
        }
        // One that only reads, and so never tidies up a file that was replaced meanwhile.
        let options = SqliteConnectOptions::new().filename(self.shared.files.live());
        let mut held = options.read_only(true).connect().await.map_err(failure)?;
        sqlx::raw_sql("BEGIN").execute(&mut held).await.map_err(failure)?;
        let position = live::checkpoint(&mut held).await?.position;
        self.held = Some((held, position));
        Ok(position)
    }

    async fn end(mut self: Box<Self>) -> Result<Compared, Error> {
        let position = self.file.position();
        let Some((held, at)) = &mut self.held else { return Err(Error::Building) };
        if *at != position {
            let reason = format!("rows of {position} cannot be compared with those of {at}");
            return Err(Error::Failed(reason));
        }
        let compared = compare(self.file.connection(), held).await;
        let compared = self.shared.judge(compared).await?;
        Ok(Compared { position, ..compared })
    }
}

/// One table of one side.
struct Side<'a> {
    rows: &'static str,
    connection: &'a mut SqliteConnection,
}

impl Pages for Side<'_> {
    async fn page(&mut self, after: Position) -> Result<Vec<TextRow>, Error> {
        // Made of constants alone.
        let query = sqlx::query(AssertSqlSafe(self.rows)).bind(int(after));
        let found = query.fetch_all(&mut *self.connection).await.map_err(failure)?;
        found.iter().map(|row| Ok((number(row, 0)?, get(row, 1)?))).collect()
    }
}

async fn compare(
    made: &mut SqliteConnection,
    read: &mut SqliteConnection,
) -> Result<Compared, Error> {
    must_be_sound(read).await?;
    let mut found = alike::nothing();
    let [verifications, resources, counts] = &*ROWS;
    for (columns, rows) in [(COLUMNS, verifications), (RESOURCE_COLUMNS, resources)] {
        let made = Side { rows, connection: &mut *made };
        let read = Side { rows, connection: &mut *read };
        alike::compare(columns, made, read, &mut found).await?;
    }
    let (made, read) =
        (Side { rows: counts, connection: made }, Side { rows: counts, connection: read });
    alike::compare_counts(made, read, &mut found).await?;
    Ok(found)
}

/// Lists are read by indexes: those must say what the rows say.
async fn must_be_sound(read: &mut SqliteConnection) -> Result<(), Error> {
    let found = sqlx::query("PRAGMA integrity_check(1)").fetch_one(read).await.map_err(failure)?;
    match get::<&str>(&found, 0)? {
        "ok" => Ok(()),
        found => Err(Error::Damaged(found.to_owned())),
    }
}
