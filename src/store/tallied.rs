//! Counts that are kept beside the rows, as columns of whichever database they are in, and what an
//! overview makes of those that were read.
//!
//! What is counted together is the projection's business; how a database keeps it, its adapter's.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ccd402_app::ports::log::Position;
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::{Percentiles, ReadModelError as Error, Status, Step, Tally};
use ccd402_app::projections::tallies::{Change, Group, Width};
use ccd402_domain::asset::Asset;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};

use crate::flat::{BILLION, int, nanos};

/// The columns of a count: what is counted together, and what it comes to.
pub(crate) const COLUMNS: &[&str] = &[
    "tenant",
    "width",
    "begins",
    "network",
    "asset",
    "status",
    "code",
    "took_ms",
    "number",
    "spelled",
    "count",
    "amount_billions",
    "amount_rest",
];
/// Those of them that say what is counted together.
pub(crate) const GROUP: &str = "tenant, width, begins, network, asset, status, code, took_ms";
/// Those that are read, in the order of [`Counted`].
pub(crate) const READ: &str =
    "begins, network, spelled, status, code, took_ms, count, amount_billions, amount_rest";

/// No tenant's name: the counts of all.
const EVERYBODY: &str = "";
/// No code, of what has not failed; no time, of what was not confirmed.
const NO_CODE: &str = "";
const NO_TIME: i64 = -1;
/// Counts that one event can begin: of all and of the tenant, in each width; a power of two.
const BEGUN_BY_ONE: u64 = 8;

/// What is added to a count, in the order of [`COLUMNS`].
pub(crate) struct Added<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) width: i64,
    pub(crate) begins: i64,
    pub(crate) network: &'a str,
    pub(crate) asset: &'a str,
    pub(crate) status: &'static str,
    pub(crate) code: &'static str,
    pub(crate) took_ms: i64,
    pub(crate) number: i64,
    pub(crate) spelled: String,
    pub(crate) count: i64,
    pub(crate) billions: i64,
    pub(crate) rest: i64,
}

impl<'a> Added<'a> {
    pub(crate) fn of(group: &'a Group, change: &Change) -> Self {
        let billion = i128::from(BILLION);
        let part = |part: i128| i64::try_from(part).unwrap_or(i64::MAX);
        let place = Width::ALL.iter().position(|width| *width == group.width).unwrap_or(0) as u64;
        let place = place + if group.tenant.is_some() { Width::ALL.len() as u64 } else { 0 };
        Self {
            tenant: group.tenant.as_ref().map_or(EVERYBODY, |tenant| tenant.as_str()),
            width: group.width.seconds(),
            begins: nanos(group.begins),
            network: group.network.as_str(),
            asset: &group.asset,
            status: group.status.as_str(),
            code: group.code.map_or(NO_CODE, ReasonCode::as_str),
            took_ms: group.took_ms.map_or(NO_TIME, int),
            number: int(change.first * BEGUN_BY_ONE + place),
            spelled: change.spelled.to_string(),
            count: change.count,
            billions: part(change.amount / billion),
            rest: part(change.amount % billion),
        }
    }
}

/// The event that began the count of this number.
pub(crate) fn begun_by(number: Position) -> Position {
    number / BEGUN_BY_ONE
}

/// What of a count is compared, in the order of [`COLUMNS`]: its amount as a whole number of billions
/// and what is left. Counts that come to the same may say 1.8 of a billion as 1 and 0.8, or as 2 and
/// -0.2, by how events came together.
pub(crate) fn compared() -> String {
    let rest = format!("((amount_rest % {BILLION} + {BILLION}) % {BILLION})");
    let billions = format!("(amount_billions + (amount_rest - {rest}) / {BILLION})");
    let value = |column: &&'static str| match *column {
        "amount_billions" => billions.clone(),
        "amount_rest" => rest.clone(),
        column => column.to_owned(),
    };
    COLUMNS.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// Which counts an overview reads: those of a tenant and a width, from a time on.
pub(crate) struct Wanted<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) width: i64,
    pub(crate) from: i64,
}

impl<'a> Wanted<'a> {
    /// Those of all times, and those of the time that is asked about.
    pub(crate) fn by(asked: &'a Asked) -> Result<[Self; 2], Error> {
        let tenant = asked.tenant.as_ref().map_or(EVERYBODY, |tenant| tenant.as_str());
        let width = match asked.step {
            Step::Minute => Width::Minute,
            Step::Hour => Width::Hour,
            Step::Day => return Err(Error::Failed("nothing is counted by the day".to_owned())),
        };
        let wanted =
            |width: Width, from| Self { tenant, width: width.seconds(), from: nanos(from) };
        Ok([wanted(Width::Ever, DateTime::UNIX_EPOCH), wanted(width, asked.from)])
    }
}

/// A count that was read, all tenants' or one's.
pub(crate) struct Counted {
    pub(crate) begins: DateTime<Utc>,
    pub(crate) network: NetworkId,
    pub(crate) asset: Asset,
    pub(crate) status: Status,
    pub(crate) code: Option<ReasonCode>,
    pub(crate) took_ms: Option<u64>,
    pub(crate) count: u64,
    pub(crate) amount: u128,
}

/// The code of a count.
pub(crate) fn code(name: &str) -> Result<Option<ReasonCode>, Error> {
    let known = || name.parse().map_err(|_| crate::flat::bad("code", name));
    (name != NO_CODE).then(known).transpose()
}

/// What a count comes to. What was taken away may have made one part negative; the sum never is.
pub(crate) fn amount(billions: i64, rest: i64) -> u128 {
    let amount = i128::from(billions) * i128::from(BILLION) + i128::from(rest);
    u128::try_from(amount).unwrap_or(0)
}

/// All rows at a glance: the counts of all times, and of the time that is asked about.
pub(crate) fn overview(as_of: Position, ever: &[Counted], lately: &[Counted]) -> Overview {
    let totals = sum(ever, |_| ());
    let mut by_time = sum(lately, |counted| counted.begins);
    by_time.sort_by_key(|tally| Reverse(tally.key));
    let mut refusals: BTreeMap<&str, (ReasonCode, u64)> = BTreeMap::new();
    let mut took: BTreeMap<u64, u64> = BTreeMap::new();
    for counted in lately {
        if let Some(code) = counted.code {
            refusals.entry(code.as_str()).or_insert((code, 0)).1 += counted.count;
        }
        if let Some(ms) = counted.took_ms {
            *took.entry(ms).or_default() += counted.count;
        }
    }
    let mut refusals: Vec<_> = refusals.into_values().collect();
    refusals.sort_by_key(|(_, count)| Reverse(*count));
    let finality = Percentiles::of(&took.into_iter().collect::<Vec<_>>()).into();
    Overview { as_of, totals, by_time, refusals, finality }
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
