//! Compares rows that are read with rows that a replay has made, each with each, column by column,
//! whichever database they are in.
//!
//! Where the rows come from is the adapters' business. Nothing is repaired here.

use std::cmp::Ordering;

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{
    Compared, DIFFERENCES_MAX, Difference, ReadModelError as Error, Unlike,
};

use crate::tallied;

/// Rows that are read at a time.
pub(crate) const PAGE_ROWS: usize = 2_048;

/// A row's number, and all of it as one text: a JSON array of its columns.
pub(crate) type TextRow = (Position, String);

/// The rows of one table on one side.
pub(crate) trait Pages: Send {
    /// Those after a number, in the order of their numbers, at most [`PAGE_ROWS`].
    fn page(&mut self, after: Position)
    -> impl Future<Output = Result<Vec<TextRow>, Error>> + Send;
}

/// A comparison that has compared nothing yet.
pub(crate) fn nothing() -> Compared {
    Compared { position: 0, rows: 0, different: 0, differences: Vec::new() }
}

/// Compares one table; what is found is added.
pub(crate) async fn compare(
    columns: &[&str],
    made: impl Pages,
    read: impl Pages,
    found: &mut Compared,
) -> Result<(), Error> {
    let (mut made, mut read) = (Side::of(made), Side::of(read));
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
            found.rows += 1;
            ours = made.next().await?;
        }
        if read_row.is_some() {
            theirs = read.next().await?;
        }
        if let Some(difference) = difference(columns, made_row, read_row) {
            found.different += 1;
            if found.differences.len() < DIFFERENCES_MAX {
                found.differences.push(difference);
            }
        }
    }
}

/// Compares counts of the rows that were compared. Where rows differ their counts do: they are not
/// told of again, nor counted among the rows. One is told by the event that began it.
pub(crate) async fn compare_counts(
    made: impl Pages,
    read: impl Pages,
    found: &mut Compared,
) -> Result<(), Error> {
    if found.different > 0 {
        return Ok(());
    }
    let mut counts = nothing();
    compare(tallied::COLUMNS, made, read, &mut counts).await?;
    found.different = counts.different;
    found.differences = counts.differences;
    found.differences.iter_mut().for_each(|one| one.number = tallied::begun_by(one.number));
    Ok(())
}

/// The rows of one side, a page at a time.
struct Side<P> {
    pages: P,
    page: std::vec::IntoIter<TextRow>,
    last: Position,
}

impl<P: Pages> Side<P> {
    fn of(pages: P) -> Self {
        Self { pages, page: Vec::new().into_iter(), last: 0 }
    }

    async fn next(&mut self) -> Result<Option<TextRow>, Error> {
        if self.page.as_slice().is_empty() {
            self.page = self.pages.page(self.last).await?.into_iter();
        }
        let next = self.page.next();
        self.last = next.as_ref().map_or(self.last, |(number, _)| *number);
        Ok(next)
    }
}

/// How one row differs, of which at least one side is there.
fn difference(
    columns: &[&str],
    made: Option<TextRow>,
    read: Option<TextRow>,
) -> Option<Difference> {
    let (number, what) = match (made, read) {
        (Some((number, made)), Some((_, read))) if made != read => {
            (number, changed(columns, &made, &read))
        }
        (Some((number, _)), None) => (number, Unlike::Missing),
        (None, Some((number, _))) => (number, Unlike::Surplus),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(Difference { number, what })
}

/// The columns in which two rows differ.
fn changed(columns: &[&str], made: &str, read: &str) -> Unlike {
    let values = |row| serde_json::from_str::<Vec<serde_json::Value>>(row).unwrap_or_default();
    let (made, read) = (values(made), values(read));
    let differs = |at: &usize| made.get(*at) != read.get(*at);
    Unlike::Changed((0..columns.len()).filter(differs).map(|at| columns[at].to_owned()).collect())
}
