//! What rows amount to, in a handful of questions over one view.
//!
//! Sums are made of billions and rests apart, as NUMERIC, so that they are exact.

use ccd402_app::ports::read_model::{
    Filter, Finality, GROUPS_MAX, ReadModelError, Stats, Status, Step, Table, Tally,
};
use ccd402_protocol::code::ReasonCode;
use sqlx::QueryBuilder;
use sqlx::postgres::PgRow;

use super::codec::{get, number, parse, status, text};
use super::failure::Failure;
use super::list::push_filter;
use super::view::{Question, View};
use crate::flat::{BILLION, bad, time};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// What each tally begins with; the key, if there is one, is the seventh column. Assets are spelled
/// in many ways: the smallest of a group stands for all.
const TALLY: &str = "SELECT network, min(asset), status, count(*), sum(amount_billions)::text, \
                     sum(amount_rest)::text";
const LARGEST: &str = "4 DESC, 7, 1, 2, 3";
const NEWEST: &str = "7 DESC, 1, 2, 3";

/// Everything that is asked for.
pub(super) struct Count<'a> {
    pub(super) filter: &'a Filter,
    pub(super) step: Step,
}

impl Question for Count<'_> {
    type Answer = Stats;

    async fn ask(&self, view: &mut View) -> Result<Stats, Failure> {
        let totals = self.tallies(view, None, |_| Ok(())).await?.tallies;
        let by_pay_to = Some(("pay_to", LARGEST));
        let by_pay_to = self.tallies(view, by_pay_to, |row| parse(row, 6)).await?;
        let by_resource = Some(("url", LARGEST));
        let by_resource = self.tallies(view, by_resource, |row| text(row, 6)).await?;
        // Rounds down, also before 1970.
        let width = self.step.seconds() * NANOS_PER_SECOND;
        let begins = format!("requested_at - (requested_at % {width} + {width}) % {width}");
        let by_time = Some((begins.as_str(), NEWEST));
        let by_time = self.tallies(view, by_time, |row| Ok(time(get(row, 6)?))).await?;
        let refusals = self.refusals(view).await?;
        let finality = self.finality(view).await?;
        let as_of = view.as_of;
        Ok(Stats { as_of, totals, by_pay_to, by_resource, by_time, refusals, finality })
    }
}

impl Count<'_> {
    /// A table by a key, or by asset and status alone.
    async fn tallies<K>(
        &self,
        view: &mut View,
        key: Option<(&str, &str)>,
        read_key: impl Fn(&PgRow) -> Result<K, ReadModelError>,
    ) -> Result<Table<K>, Failure> {
        let mut query = QueryBuilder::new(TALLY);
        if let Some((key, _)) = key {
            query.push(format_args!(", {key}"));
        }
        query.push(format_args!(" FROM {} WHERE ", view.build.table("verifications")));
        push_filter(&mut query, self.filter);
        query.push(" GROUP BY network, lower(asset), status");
        match key {
            Some((_, order)) => {
                query.push(format_args!(", 7 ORDER BY {order} LIMIT {}", GROUPS_MAX + 1));
            }
            None => {
                query.push(" ORDER BY 1, 2, 3");
            }
        }
        let found = view.rows(&mut query).await?;
        let is_cut = key.is_some() && found.len() > GROUPS_MAX;
        let shown = if is_cut { &found[..GROUPS_MAX] } else { &found[..] };
        let tally = |row: &PgRow| -> Result<Tally<K>, ReadModelError> {
            let (billions, rest) = (sum(row, 4)?, sum(row, 5)?);
            Ok(Tally {
                key: read_key(row)?,
                network: parse(row, 0)?,
                asset: parse(row, 1)?,
                status: status(row, 2)?,
                count: number(row, 3)?,
                amount: billions * u128::from(BILLION) + rest,
            })
        };
        let tallies = shown.iter().map(tally).collect::<Result<_, _>>()?;
        Ok(Table { tallies, is_cut })
    }

    async fn refusals(&self, view: &mut View) -> Result<Vec<(ReasonCode, u64)>, Failure> {
        let table = view.build.table("verifications");
        let mut query = QueryBuilder::new(format!("SELECT code, count(*) FROM {table} WHERE "));
        push_filter(&mut query, self.filter);
        query.push(" AND code IS NOT NULL GROUP BY code ORDER BY 2 DESC, 1");
        let found = view.rows(&mut query).await?;
        let read = |row: &PgRow| Ok((parse(row, 0)?, number(row, 1)?));
        Ok(found.iter().map(read).collect::<Result<_, ReadModelError>>()?)
    }

    /// By the nearest rank: the first time that, with all shorter ones, makes up so many of all.
    async fn finality(&self, view: &mut View) -> Result<Finality, Failure> {
        let table = view.build.table("verifications");
        let mut query = QueryBuilder::new(format!(
            "WITH took AS (SELECT greatest(0, decided_at - requested_at) / 1000000 AS ms, \
             count(*) AS times FROM {table} WHERE "
        ));
        push_filter(&mut query, self.filter);
        query.push(" AND status || '' = ").push_bind(Status::Confirmed.as_str());
        query.push(
            " GROUP BY 1), passed AS (SELECT ms, sum(times) OVER (ORDER BY ms) * 100 AS passed, \
             sum(times) OVER () AS total FROM took) \
             SELECT coalesce(max(total), 0)::bigint, \
             coalesce(min(ms) FILTER (WHERE passed >= total * 50), 0)::bigint, \
             coalesce(min(ms) FILTER (WHERE passed >= total * 90), 0)::bigint, \
             coalesce(min(ms) FILTER (WHERE passed >= total * 99), 0)::bigint FROM passed",
        );
        let found = view.rows(&mut query).await?;
        let Some(row) = found.first() else { return Ok(Finality::default()) };
        Ok(Finality {
            count: number(row, 0)?,
            p50_ms: number(row, 1)?,
            p90_ms: number(row, 2)?,
            p99_ms: number(row, 3)?,
        })
    }
}

/// A sum, which may be larger than 64 bits are.
fn sum(row: &PgRow, at: usize) -> Result<u128, ReadModelError> {
    let text: &str = get(row, at)?;
    text.parse().map_err(|_| bad("sum", text))
}
