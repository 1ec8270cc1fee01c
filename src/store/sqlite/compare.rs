//! Compares the rows that are read with those that a replay has made, each with each, column by
//! column.
//!
//! The rows that are read are held by a connection of its own, which only reads: a snapshot, beside
//! which they go on being written. Nothing is repaired here.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{
    Compared, Comparison, DIFFERENCES_MAX, Difference, ReadModelError as Error, Rows, Unlike,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

use super::codec::{get, int, number};
use super::file::RowFile;
use super::schema::{COLUMNS, RESOURCE_COLUMNS, TALLY_COLUMNS};
use super::tallies::BEGUN_BY_ONE;
use super::{Shared, failure, live};

/// Rows that are read at a time.
const PAGE: usize = 2_048;

/// What is compared.
static TABLES: LazyLock<[Table; 3]> = LazyLock::new(|| {
    let counts = Table::of("tallies", TALLY_COLUMNS, &AMOUNT);
    [
        Table::of("verifications", COLUMNS, &[]),
        Table::of("resources", RESOURCE_COLUMNS, &[]),
        Table { counts: true, ..counts },
    ]
});
/// How events came together shows in the parts of an amount, and not in its sum.
const AMOUNT: [(&str, &str); 2] = [
    ("amount_billions", "(amount_billions + amount_rest / 1000000000)"),
    ("amount_rest", "(amount_rest % 1000000000)"),
];

/// A table of rows that have a number.
struct Table {
    columns: &'static [&'static str],
    /// Rows after a number, each as one text.
    rows: String,
    /// Whether its rows are counts of others: a number is then that of an event and a place.
    counts: bool,
}

impl Table {
    fn of(
        name: &str,
        columns: &'static [&'static str],
        written: &[(&'static str, &'static str)],
    ) -> Self {
        let value = |column: &&'static str| {
            written.iter().find(|(name, _)| name == column).map_or(*column, |(_, value)| *value)
        };
        let values: Vec<_> = columns.iter().map(value).collect();
        let rows = format!(
            "SELECT number, json_array({}) FROM {name} WHERE number > ?1 ORDER BY number \
             LIMIT {PAGE}",
            values.join(", ")
        );
        Self { columns, rows, counts: false }
    }
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

/// A row's number, and all of it as one text.
type TextRow = (Position, String);

/// The rows of one side, a page at a time.
struct Side<'a> {
    table: &'static Table,
    connection: &'a mut SqliteConnection,
    page: std::vec::IntoIter<TextRow>,
    last: Position,
}

impl<'a> Side<'a> {
    fn of(table: &'static Table, connection: &'a mut SqliteConnection) -> Self {
        Self { table, connection, page: Vec::new().into_iter(), last: 0 }
    }

    async fn next(&mut self) -> Result<Option<TextRow>, Error> {
        if self.page.as_slice().is_empty() {
            // Made of constants alone.
            let query = sqlx::query(AssertSqlSafe(self.table.rows.as_str())).bind(int(self.last));
            let found = query.fetch_all(&mut *self.connection).await.map_err(failure)?;
            let page = found.iter().map(|row| Ok((number(row, 0)?, get(row, 1)?)));
            self.page = page.collect::<Result<Vec<_>, Error>>()?.into_iter();
        }
        let next = self.page.next();
        self.last = next.as_ref().map_or(self.last, |(number, _)| *number);
        Ok(next)
    }
}

async fn compare(
    made: &mut SqliteConnection,
    read: &mut SqliteConnection,
) -> Result<Compared, Error> {
    must_be_sound(read).await?;
    let mut found = Compared { position: 0, rows: 0, different: 0, differences: Vec::new() };
    for table in TABLES.iter() {
        // Where rows differ their counts do; they are not told of again.
        if table.counts && found.different > 0 {
            continue;
        }
        compare_tables(Side::of(table, made), Side::of(table, read), &mut found).await?;
    }
    Ok(found)
}

async fn compare_tables(
    mut made: Side<'_>,
    mut read: Side<'_>,
    found: &mut Compared,
) -> Result<(), Error> {
    let (mut ours, mut theirs) = (made.next().await?, read.next().await?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => return Ok(()),
            (Some((made, _)), Some((read, _))) => made.cmp(read),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        };
        let (made_row, read_row) = match order {
            Ordering::Less => (ours.take(), None),
            Ordering::Greater => (None, theirs.take()),
            Ordering::Equal => (ours.take(), theirs.take()),
        };
        if made_row.is_some() {
            found.rows += u64::from(!made.table.counts);
            ours = made.next().await?;
        }
        if read_row.is_some() {
            theirs = read.next().await?;
        }
        if let Some(difference) = difference(made.table, made_row, read_row) {
            found.different += 1;
            if found.differences.len() < DIFFERENCES_MAX {
                found.differences.push(difference);
            }
        }
    }
}

/// How one row differs, of which at least one side is there.
fn difference(table: &Table, made: Option<TextRow>, read: Option<TextRow>) -> Option<Difference> {
    let (number, what) = match (made, read) {
        (Some((number, made)), Some((_, read))) if made != read => {
            (number, changed(table.columns, &made, &read))
        }
        (Some((number, _)), None) => (number, Unlike::Missing),
        (None, Some((number, _))) => (number, Unlike::Surplus),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let number = if table.counts { number / BEGUN_BY_ONE } else { number };
    Some(Difference { number, what })
}

/// Lists are read by indexes: those must say what the rows say.
async fn must_be_sound(read: &mut SqliteConnection) -> Result<(), Error> {
    let found = sqlx::query("PRAGMA integrity_check(1)").fetch_one(read).await.map_err(failure)?;
    match get::<&str>(&found, 0)? {
        "ok" => Ok(()),
        found => Err(Error::Damaged(found.to_owned())),
    }
}

/// The columns in which two rows differ.
fn changed(columns: &[&str], made: &str, read: &str) -> Unlike {
    let values = |row| serde_json::from_str::<Vec<serde_json::Value>>(row).unwrap_or_default();
    let (made, read) = (values(made), values(read));
    let differs = |at: &usize| made.get(*at) != read.get(*at);
    Unlike::Changed((0..columns.len()).filter(differs).map(|at| columns[at].to_owned()).collect())
}
