//! Rows by filter, newest first, after a place that never changes.

use ccd402_app::ports::read_model::{Filter, PAGE_ROWS_MAX, Page, Place, ReadModelError as Error};
use sqlx::{QueryBuilder, Sqlite};

use super::codec;
use super::failure;
use super::live::Live;
use super::schema::COLUMNS;
use crate::flat::{int, nanos};

/// One page.
pub(super) async fn list(
    live: &Live,
    filter: &Filter,
    after: Option<Place>,
    max: usize,
) -> Result<Page, Error> {
    let mut view = live.view().await?;
    let max = max.min(PAGE_ROWS_MAX);
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS.join(", ")).push(" FROM verifications WHERE ");
    push_filter(&mut query, filter);
    if let Some(place) = after {
        query.push(" AND (requested_at, number) < (").push_bind(nanos(place.requested_at));
        query.push(", ").push_bind(int(place.number)).push(")");
    }
    query.push(" ORDER BY requested_at DESC, number DESC LIMIT ").push_bind(max as i64 + 1);
    let found = query.build().fetch_all(&mut *view.transaction).await.map_err(failure)?;
    let has_more = found.len() > max;
    let rows = found.iter().take(max).map(codec::row).collect::<Result<_, _>>()?;
    Ok(Page { as_of: view.as_of, rows, has_more })
}

/// The condition of a filter.
///
/// The part that leaves the fewest rows stands bare, so that its index is taken; the others are
/// hidden from SQLite's planner, which knows no numbers of rows, behind a `+`.
pub(super) fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    let parts = [
        ("transaction_hash", filter.transaction.map(|hash| hash.to_string())),
        ("url", filter.resource.clone()),
        ("payer", filter.payer.map(|account| account.to_string())),
        ("pay_to", filter.pay_to.map(|account| account.to_string())),
        ("status", filter.status.map(|status| status.as_str().to_owned())),
        ("tenant", filter.tenant.as_ref().map(ToString::to_string)),
        ("asset", filter.asset.as_ref().map(ToString::to_string)),
    ];
    query.push("1");
    let mut hidden = "";
    for (column, value) in parts {
        let Some(value) = value else { continue };
        query.push(format_args!(" AND {hidden}{column} = ")).push_bind(value);
        // One index has both: few of many may be a tenant's, and few of a tenant's failed.
        let is_with_next = column == "status" && filter.tenant.is_some();
        if !is_with_next {
            hidden = "+";
        }
    }
    if let Some(network) = &filter.network {
        query.push(" AND +network = ").push_bind(network.to_string());
    }
    for (sign, time) in [(">=", filter.from), ("<", filter.to)] {
        if let Some(time) = time {
            query.push(format_args!(" AND requested_at {sign} ")).push_bind(nanos(time));
        }
    }
}
