//! Counts that are kept beside the rows, so that an overview looks at some hundreds of them and at no
//! row. They are written in the transaction of the rows that they count.
//!
//! What is counted together is the projection's business.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use ccd402_app::ports::log::Recorded;
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::{Percentiles, ReadModelError as Error, Status, Step, Tally};
use ccd402_app::projections::tallies::{self, Change, Facts, Group, Width};
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::VerificationId;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::codec::{Values, get, number, parse, status};
use super::failure;
use super::live::{Live, View};
use super::schema::TALLY_COLUMNS;
use super::write::{CHUNKS, next_chunk, tuples};
use crate::flat::{self, BILLION, int, nanos, time};

/// No tenant's name: the counts of all.
const EVERYBODY: &str = "";
/// No code, of what has not failed; no time, of what was not confirmed.
const NO_CODE: &str = "";
const NO_TIME: i64 = -1;
/// Counts that one event can begin: of all and of the tenant, in each width.
pub(super) const BEGUN_BY_ONE: u64 = 8;

static UPSERTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let columns = TALLY_COLUMNS.join(", ");
    let upsert = |rows| {
        format!(
            "INSERT INTO tallies ({columns}) VALUES {} \
             ON CONFLICT (tenant, width, begins, network, asset, status, code, took_ms) \
             DO UPDATE SET count = count + excluded.count, \
             amount_billions = amount_billions + excluded.amount_billions, \
             amount_rest = amount_rest + excluded.amount_rest",
            tuples(TALLY_COLUMNS.len(), rows)
        )
    };
    CHUNKS.into_iter().map(upsert).collect()
});

static FACTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let select = |ids| {
        format!(
            "SELECT id, tenant, network, asset, amount_billions, amount_rest, requested_at \
             FROM verifications INDEXED BY by_id WHERE id IN ({})",
            vec!["?"; ids].join(", ")
        )
    };
    CHUNKS.into_iter().map(select).collect()
});

/// Adds what events change.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    events: &[Recorded],
) -> Result<(), Error> {
    let known = facts(connection, &tallies::unknown(events)).await?;
    let changes = tallies::changes(events, known);
    let changes: Vec<_> = changes.iter().collect();
    let mut rest = &changes[..];
    while let Some((chunk, statement)) = next_chunk(rest, &UPSERTS) {
        let mut values = Values::default();
        chunk.iter().for_each(|(group, change)| push(&mut values, group, change));
        // Made of constants alone.
        sqlx::query_with(AssertSqlSafe(statement), values.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(failure)?;
        rest = &rest[chunk.len()..];
    }
    Ok(())
}

/// A count, in the order of `TALLY_COLUMNS`.
fn push(values: &mut Values, group: &Group, change: &Change) {
    let billion = i128::from(BILLION);
    let part = |part: i128| i64::try_from(part).unwrap_or(i64::MAX);
    let place = Width::ALL.iter().position(|width| *width == group.width).unwrap_or(0) as u64;
    let place = place + if group.tenant.is_some() { Width::ALL.len() as u64 } else { 0 };
    values.text(group.tenant.as_ref().map_or(EVERYBODY, |tenant| tenant.as_str()));
    values.int(group.width.seconds());
    values.int(nanos(group.begins));
    values.text(group.network.as_str());
    values.text(group.asset.as_str());
    values.text(group.status.as_str());
    values.text(group.code.map_or(NO_CODE, ReasonCode::as_str));
    values.int(group.took_ms.map_or(NO_TIME, int));
    values.count(change.first * BEGUN_BY_ONE + place);
    values.text(change.spelled.to_string());
    values.int(change.count);
    values.int(part(change.amount / billion));
    values.int(part(change.amount % billion));
}

/// What rows say that are there already.
async fn facts(
    connection: &mut SqliteConnection,
    ids: &[VerificationId],
) -> Result<HashMap<VerificationId, Facts>, Error> {
    let mut facts = HashMap::with_capacity(ids.len());
    let mut rest = ids;
    while let Some((chunk, statement)) = next_chunk(rest, &FACTS) {
        let mut values = Values::default();
        chunk.iter().for_each(|id| values.text(id.0.to_string()));
        let found = sqlx::query_with(AssertSqlSafe(statement), values.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(failure)?;
        for row in &found {
            let of = Facts {
                tenant: parse(row, 1)?,
                network: parse(row, 2)?,
                asset: parse(row, 3)?,
                amount: flat::amount(number(row, 4)?, number(row, 5)?)?,
                requested_at: time(get(row, 6)?),
            };
            facts.insert(parse(row, 0)?, of);
        }
        rest = &rest[chunk.len()..];
    }
    Ok(facts)
}

/// Some counts that were read, all tenants' or one's.
struct Counted {
    begins: DateTime<Utc>,
    network: NetworkId,
    asset: Asset,
    status: Status,
    code: Option<ReasonCode>,
    took_ms: Option<u64>,
    count: u64,
    amount: u128,
}

/// All rows at a glance.
pub(super) async fn overview(live: &Live, asked: &Asked) -> Result<Overview, Error> {
    let mut view = live.view().await?;
    let width = match asked.step {
        Step::Minute => Width::Minute,
        Step::Hour => Width::Hour,
        Step::Day => return Err(Error::Failed("nothing is counted by the day".to_owned())),
    };
    let beginning = DateTime::UNIX_EPOCH;
    let ever = counted(&mut view, asked, (Width::Ever, beginning)).await?;
    let lately = counted(&mut view, asked, (width, asked.from)).await?;
    let totals = sum(&ever, |_| ());
    let mut by_time = sum(&lately, |counted| counted.begins);
    by_time.sort_by_key(|tally| std::cmp::Reverse(tally.key));
    let mut refusals: BTreeMap<&str, (ReasonCode, u64)> = BTreeMap::new();
    let mut took: BTreeMap<u64, u64> = BTreeMap::new();
    for counted in &lately {
        if let Some(code) = counted.code {
            refusals.entry(code.as_str()).or_insert((code, 0)).1 += counted.count;
        }
        if let Some(ms) = counted.took_ms {
            *took.entry(ms).or_default() += counted.count;
        }
    }
    let mut refusals: Vec<_> = refusals.into_values().collect();
    refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let finality = Percentiles::of(&took.into_iter().collect::<Vec<_>>()).into();
    Ok(Overview { as_of: view.as_of, totals, by_time, refusals, finality })
}

async fn counted(
    view: &mut View,
    asked: &Asked,
    (width, from): (Width, DateTime<Utc>),
) -> Result<Vec<Counted>, Error> {
    let tenant = asked.tenant.as_ref().map_or(EVERYBODY, |tenant| tenant.as_str());
    let found = sqlx::query(
        "SELECT begins, network, spelled, status, code, took_ms, count, amount_billions, \
         amount_rest FROM tallies WHERE tenant = ?1 AND width = ?2 AND begins >= ?3 \
         AND count > 0",
    )
    .bind(tenant.to_owned())
    .bind(width.seconds())
    .bind(nanos(from))
    .fetch_all(&mut *view.transaction)
    .await
    .map_err(failure)?;
    found.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Counted, Error> {
    let code = get::<&str>(row, 4)?;
    let (billions, rest): (i64, i64) = (get(row, 7)?, get(row, 8)?);
    // What was taken away may have made one part negative; the sum never is.
    let amount = i128::from(billions) * i128::from(BILLION) + i128::from(rest);
    Ok(Counted {
        begins: time(get(row, 0)?),
        network: parse(row, 1)?,
        asset: parse(row, 2)?,
        status: status(row, 3)?,
        code: if code == NO_CODE { None } else { Some(parse(row, 4)?) },
        took_ms: u64::try_from(get::<i64>(row, 5)?).ok(),
        count: number(row, 6)?,
        amount: u128::try_from(amount).unwrap_or(0),
    })
}

/// Counts that differ in nothing but code and time, added up, in the order of their keys.
fn sum<K: Ord + Copy>(counted: &[Counted], key: impl Fn(&Counted) -> K) -> Vec<Tally<K>> {
    let mut tallies = BTreeMap::new();
    for one in counted {
        let (key, asset) = (key(one), one.asset.to_string().to_ascii_lowercase());
        let group = (key, one.network.as_str(), asset, one.status.as_str());
        let tally = tallies.entry(group).or_insert_with(|| Tally {
            key,
            network: one.network.clone(),
            asset: one.asset.clone(),
            status: one.status,
            count: 0,
            amount: 0,
        });
        tally.count += one.count;
        tally.amount += one.amount;
    }
    tallies.into_values().collect()
}
