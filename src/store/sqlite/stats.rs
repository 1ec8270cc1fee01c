//! What rows amount to, in a handful of questions over one view.
//!
//! Sums are made by SQLite of billions and rests apart, so that they are exact; SQLite refuses sums
//! beyond its integers, which takes half a thousand million of the largest amounts.

use ccd402_app::ports::read_model::{
    Filter, Finality, GROUPS_MAX, Percentiles, ReadModelError as Error, Stats, Status, Step, Table,
    Tally,
};
use ccd402_domain::account::AccountAddress;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use super::codec::{get, number, parse, status};
use super::failure;
use super::list::push_filter;
use super::live::{Live, View};
use crate::flat::{BILLION, time};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// What each tally begins with; the key, if there is one, is the seventh column. Assets are spelled
/// in many ways: the smallest of a group stands for all.
const TALLY: &str = "SELECT network, min(asset COLLATE BINARY), status, count(*), \
                     sum(amount_billions), sum(amount_rest)";

/// Everything that is asked for.
pub(super) async fn stats(live: &Live, filter: &Filter, step: Step) -> Result<Stats, Error> {
    let mut view = live.view().await?;
    let totals = tallies(&mut view, filter, None, |_| Ok(())).await?.tallies;
    let by_pay_to = Some(("pay_to", LARGEST));
    let by_pay_to = tallies(&mut view, filter, by_pay_to, |row| parse(row, 6)).await?;
    let by_resource = Some(("url", LARGEST));
    let by_resource = tallies(&mut view, filter, by_resource, |row| get(row, 6)).await?;
    // Rounds down, also before 1970.
    let width = step.seconds() * NANOS_PER_SECOND;
    let begins = format!("requested_at - (requested_at % {width} + {width}) % {width}");
    let by_time = Some((begins.as_str(), NEWEST));
    let by_time = tallies(&mut view, filter, by_time, |row| Ok(time(get(row, 6)?))).await?;
    let refusals = refusals(&mut view, filter).await?;
    let finality = finality(&mut view, filter).await?;
    let as_of = view.as_of;
    Ok(Stats { as_of, totals, by_pay_to, by_resource, by_time, refusals, finality })
}

/// Rows by who paid.
pub(super) async fn payers(live: &Live, filter: &Filter) -> Result<Table<AccountAddress>, Error> {
    let mut view = live.view().await?;
    tallies(&mut view, filter, Some(("payer", LARGEST)), |row| parse(row, 6)).await
}

const LARGEST: &str = "4 DESC, 7, 1, 2, 3";
const NEWEST: &str = "7 DESC, 1, 2, 3";

/// A table by a key, or by asset and status alone.
async fn tallies<K>(
    view: &mut View,
    filter: &Filter,
    key: Option<(&str, &str)>,
    read_key: impl Fn(&SqliteRow) -> Result<K, Error>,
) -> Result<Table<K>, Error> {
    let mut query = QueryBuilder::new(TALLY);
    if let Some((key, _)) = key {
        query.push(format_args!(", {key}"));
    }
    query.push(" FROM verifications WHERE ");
    push_filter(&mut query, filter);
    query.push(" GROUP BY network, asset, status");
    match key {
        Some((_, order)) => {
            query.push(format_args!(", 7 ORDER BY {order} LIMIT {}", GROUPS_MAX + 1));
        }
        None => {
            query.push(" ORDER BY 1, 2, 3");
        }
    }
    let found = fetch(view, query).await?;
    let is_cut = key.is_some() && found.len() > GROUPS_MAX;
    let shown = if is_cut { &found[..GROUPS_MAX] } else { &found[..] };
    let tally = |row: &SqliteRow| -> Result<Tally<K>, Error> {
        let (billions, rest) = (number(row, 4)?, number(row, 5)?);
        Ok(Tally {
            key: read_key(row)?,
            network: parse(row, 0)?,
            asset: parse(row, 1)?,
            status: status(row, 2)?,
            count: number(row, 3)?,
            amount: u128::from(billions) * u128::from(BILLION) + u128::from(rest),
        })
    };
    let tallies = shown.iter().map(tally).collect::<Result<_, _>>()?;
    Ok(Table { tallies, is_cut })
}

async fn refusals(
    view: &mut View,
    filter: &Filter,
) -> Result<Vec<(ccd402_protocol::code::ReasonCode, u64)>, Error> {
    let mut query = QueryBuilder::new("SELECT code, count(*) FROM verifications WHERE ");
    push_filter(&mut query, filter);
    query.push(" AND +code IS NOT NULL GROUP BY code ORDER BY 2 DESC, 1");
    let found = fetch(view, query).await?;
    found.iter().map(|row| Ok((parse(row, 0)?, number(row, 1)?))).collect()
}

async fn finality(view: &mut View, filter: &Filter) -> Result<Finality, Error> {
    let mut query = QueryBuilder::new(
        "SELECT max(0, decided_at - requested_at) / 1000000, count(*) FROM verifications WHERE ",
    );
    push_filter(&mut query, filter);
    query.push(" AND +status = ").push_bind(Status::Confirmed.as_str());
    query.push(" GROUP BY 1 ORDER BY 1");
    let found = fetch(view, query).await?;
    let took = found.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?)));
    Ok(Percentiles::of(&took.collect::<Result<Vec<_>, Error>>()?).into())
}

async fn fetch(view: &mut View, mut query: QueryBuilder<Sqlite>) -> Result<Vec<SqliteRow>, Error> {
    query.build().fetch_all(&mut *view.transaction).await.map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let percentiles = |took: &[(u64, u64)]| Finality::from(Percentiles::of(took));
        assert_eq!(percentiles(&[]), Finality::default());
        let one = Finality { count: 1, p50_ms: 7, p90_ms: 7, p99_ms: 7 };
        assert_eq!(percentiles(&[(7, 1)]), one);
        let hundred: Vec<_> = (1..=100).map(|ms| (ms, 1)).collect();
        let of_hundred = Finality { count: 100, p50_ms: 50, p90_ms: 90, p99_ms: 99 };
        assert_eq!(percentiles(&hundred), of_hundred);
        let of_two = Finality { count: 2, p50_ms: 1, p90_ms: 9, p99_ms: 9 };
        assert_eq!(percentiles(&[(1, 1), (9, 1)]), of_two);
    }
}
