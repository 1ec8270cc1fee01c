//! Rows by filter, newest first, after a place that never changes.

use ccd402_app::ports::read_model::{Filter, PAGE_ROWS_MAX, Page, Place};
use sqlx::{Postgres, QueryBuilder};

use super::codec;
use super::failure::Failure;
use super::schema::{Build, COLUMNS, TIME_OF_ALL};
use super::view::{Question, View};
use crate::flat::{int, nanos};

/// One page.
pub(super) struct List<'a> {
    pub(super) filter: &'a Filter,
    pub(super) after: Option<Place>,
    pub(super) max: usize,
}

impl Question for List<'_> {
    type Answer = Page;

    async fn ask(&self, view: &mut View) -> Result<Page, Failure> {
        let mut query = QueryBuilder::new("");
        self.push(&mut query, &view.build);
        let found = view.rows(&mut query).await?;
        let max = self.max();
        let rows = found.iter().take(max).map(codec::row).collect::<Result<_, _>>()?;
        Ok(Page { as_of: view.as_of, rows, has_more: found.len() > max })
    }
}

impl List<'_> {
    fn max(&self) -> usize {
        self.max.min(PAGE_ROWS_MAX)
    }

    /// The statement of a page, with one row more where there is one.
    pub(super) fn push(&self, query: &mut QueryBuilder<Postgres>, build: &Build) {
        let (columns, table) = (COLUMNS.join(", "), build.table("verifications"));
        query.push(format_args!("SELECT {columns} FROM {table} WHERE "));
        let at = push_filter(query, self.filter);
        if let Some(place) = self.after {
            query.push(format_args!(" AND ({at}, number) < ("));
            query.push_bind(nanos(place.requested_at)).push(", ");
            query.push_bind(int(place.number)).push(")");
        }
        let limit = self.max() + 1;
        query.push(format_args!(" ORDER BY {at} DESC, number DESC LIMIT {limit}"));
    }
}

/// A value of a column, as it is bound.
enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

/// The condition of a filter, and how the time is called in it.
///
/// The part that leaves the fewest rows stands bare, so that its index is taken, in whose order the
/// page is; the others are hidden from the planner behind an operator, and so is the index of all
/// rows where there is a better one. What the planner knows of the rows is of no weight then: it may
/// be nothing, or old. A tenant and a status have an index together: where keys are required, each
/// question names a tenant.
pub(super) fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &Filter) -> &'static str {
    let text = |text: String| Value::Text(text);
    let transaction = filter.transaction.map(|hash| Value::Bytes(hash.as_bytes().to_vec()));
    let resource = filter.resource.as_ref().map(|url| Value::Bytes(url.as_bytes().to_vec()));
    let parts = [
        ("transaction_hash", transaction),
        ("url", resource),
        ("payer", filter.payer.map(|account| text(account.to_string()))),
        ("pay_to", filter.pay_to.map(|account| text(account.to_string()))),
        ("tenant", filter.tenant.as_ref().map(|tenant| text(tenant.to_string()))),
        ("status", filter.status.map(|status| text(status.as_str().to_owned()))),
        ("lower(asset)", filter.asset.as_ref().map(|a| text(a.to_string().to_ascii_lowercase()))),
        ("network", filter.network.as_ref().map(|network| text(network.to_string()))),
    ];
    query.push("true");
    let mut bare = None;
    for (column, value) in parts {
        let Some(value) = value else { continue };
        let is_bare = bare.is_none() || (bare, column) == (Some("tenant"), "status");
        bare = bare.or(Some(column));
        let hidden = if is_bare { "" } else { " || ''" };
        query.push(format_args!(" AND {column}{hidden} = "));
        match value {
            Value::Text(text) => query.push_bind(text),
            Value::Bytes(bytes) => query.push_bind(bytes),
        };
    }
    let at = if bare.is_none() { TIME_OF_ALL } else { "requested_at" };
    for (sign, time) in [(">=", filter.from), ("<", filter.to)] {
        if let Some(time) = time {
            query.push(format_args!(" AND {at} {sign} ")).push_bind(nanos(time));
        }
    }
    at
}
