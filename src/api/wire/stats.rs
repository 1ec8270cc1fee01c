//! The JSON of statistics. Sums of amounts are texts of smallest units, as amounts are everywhere.

use ccd402_app::ports::log::Position;
use ccd402_app::ports::queue::QueueDepth;
use ccd402_app::ports::read_model::{self as port, Tally};
use ccd402_domain::account::AccountAddress;
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// What verifications amount to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats<'a> {
    /// Everything up to this position of the log is in it.
    pub(crate) as_of: Position,
    /// How wide the steps of `byTime` are.
    #[schemars(extend("enum" = ["minute", "hour", "day"]))]
    pub(crate) step: &'static str,
    pub(crate) totals: Vec<Group<'a>>,
    pub(crate) by_pay_to: Table<PayTo<'a>>,
    pub(crate) by_resource: Table<OfResource<'a>>,
    pub(crate) by_time: Table<OfTime<'a>>,
    /// Refused ones by code, most first.
    pub(crate) refusals: Vec<Refusals>,
    pub(crate) finality: Finality,
    /// How things stand at this moment; told where `lag=true` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lag: Option<Lag>,
}

/// How many stand at one status in one asset, and what they amount to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Group<'a> {
    pub(crate) network: &'a str,
    pub(crate) asset: String,
    #[schemars(extend("enum" = ["pending", "confirmed", "failed"]))]
    pub(crate) status: &'static str,
    pub(crate) count: u64,
    /// Sum of amounts, in smallest units.
    pub(crate) amount: String,
}

/// Groups, the largest first, or the newest.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Table<G> {
    pub(crate) groups: Vec<G>,
    /// Whether there are more than are told.
    pub(crate) is_cut: bool,
}

/// A group of one recipient.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayTo<'a> {
    pub(crate) pay_to: &'a str,
    #[serde(flatten)]
    pub(crate) group: Group<'a>,
}

/// A group of one resource.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OfResource<'a> {
    pub(crate) resource: &'a str,
    #[serde(flatten)]
    pub(crate) group: Group<'a>,
}

/// A group of one step of time.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OfTime<'a> {
    /// When the step begins.
    pub(crate) begins: DateTime<Utc>,
    #[serde(flatten)]
    pub(crate) group: Group<'a>,
}

/// How many were refused for one reason.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Refusals {
    pub(crate) code: ReasonCode,
    pub(crate) count: u64,
}

/// Milliseconds from request to confirmation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finality {
    /// How many were confirmed.
    pub(crate) count: u64,
    pub(crate) p50_ms: u64,
    pub(crate) p90_ms: u64,
    pub(crate) p99_ms: u64,
}

/// What does not follow from events alone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lag {
    /// Events that the log is ahead of this answer.
    pub(crate) events: u64,
    /// Jobs that wait or run; absent where this process has no queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jobs_waiting: Option<u64>,
    /// Jobs that failed for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jobs_dead: Option<u64>,
}

impl<'a> Stats<'a> {
    /// What was counted.
    pub(crate) fn of(stats: &'a port::Stats, step: &'static str, lag: Option<Lag>) -> Self {
        let refusals = stats.refusals.iter().map(|&(code, count)| Refusals { code, count });
        let port::Finality { count, p50_ms, p90_ms, p99_ms } = stats.finality;
        Self {
            as_of: stats.as_of,
            step,
            totals: stats.totals.iter().map(Group::of).collect(),
            by_pay_to: Table::of(&stats.by_pay_to, |tally: &Tally<AccountAddress>| PayTo {
                pay_to: tally.key.as_str(),
                group: Group::of(tally),
            }),
            by_resource: Table::of(&stats.by_resource, |tally| OfResource {
                resource: &tally.key,
                group: Group::of(tally),
            }),
            by_time: Table::of(&stats.by_time, |tally| OfTime {
                begins: tally.key,
                group: Group::of(tally),
            }),
            refusals: refusals.collect(),
            finality: Finality { count, p50_ms, p90_ms, p99_ms },
            lag,
        }
    }
}

impl<'a> Group<'a> {
    fn of<K>(tally: &'a Tally<K>) -> Self {
        Self {
            network: tally.network.as_str(),
            asset: tally.asset.to_string(),
            status: tally.status.as_str(),
            count: tally.count,
            amount: tally.amount.to_string(),
        }
    }
}

impl<G> Table<G> {
    fn of<'a, K>(table: &'a port::Table<K>, group: impl Fn(&'a Tally<K>) -> G) -> Self {
        Self { groups: table.tallies.iter().map(group).collect(), is_cut: table.is_cut }
    }
}

impl Lag {
    /// Events that are missing, and what waits in the queue, if there is one.
    pub(crate) fn of(events: u64, jobs: Option<QueueDepth>) -> Self {
        let (jobs_waiting, jobs_dead) = (jobs.map(|jobs| jobs.waiting), jobs.map(|jobs| jobs.dead));
        Self { events, jobs_waiting, jobs_dead }
    }
}
