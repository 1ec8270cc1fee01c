//! The numbers of an overview, folded from what was told: what is drawn, and what `--json` prints.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::model::{Hour, State, Told};
use super::wire::{Block, Finality, Group, Ready, Refusals, Row, Stats, Status};
use super::words;

/// Minutes of an hour, the one under way included.
pub(super) const MINUTES: usize = 60;

/// An overview. What was not told is absent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures<'a> {
    pub(super) server: &'a str,
    /// As of when ages are told.
    pub(super) at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<&'a Ready>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<Log>,
    /// The newest that the follower has applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) block: Option<Followed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jobs: Option<Depth>,
    /// By status, all three.
    pub(super) verifications: [Count; 3],
    /// What was confirmed, by network and asset.
    pub(super) volume: Vec<Volume>,
    /// By code, most first.
    pub(super) refusals: &'a [Refusals],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finality: Option<Finality>,
    /// Newest first.
    pub(super) newest: &'a [Row],
    /// Why something is missing or old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    /// Everything up to here is in the numbers.
    pub(super) as_of: u64,
    pub(super) head: u64,
    /// Of the numbers.
    pub(super) age_seconds: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Followed<'a> {
    #[serde(flatten)]
    pub(super) block: &'a Block,
    pub(super) lag_seconds: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Depth {
    /// They wait or run.
    pub(super) waiting: u64,
    /// They failed for good.
    pub(super) dead: u64,
    /// Told to operators alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest_due_seconds: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    pub(super) status: Status,
    pub(super) now: u64,
    pub(super) last_hour: u64,
    /// Of the last hour, the newest last.
    pub(super) by_minute: Vec<u64>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) network: String,
    pub(super) asset: String,
    pub(super) ever: Sum,
    pub(super) last_hour: Sum,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sum {
    pub(super) count: u64,
    /// In smallest units.
    #[serde(serialize_with = "as_text")]
    pub(super) amount: u128,
    /// For people.
    pub(super) money: String,
}

impl<'a> Figures<'a> {
    pub(super) fn of(state: &'a State, now: DateTime<Utc>) -> Self {
        let ever = state.ever.as_ref().map(|told| &told.value);
        let hour = state.hour.as_ref().map(|told| &told.value);
        let log = |told: &Told<Stats>| Log {
            as_of: told.value.as_of,
            head: state.head,
            age_seconds: (now - told.at).num_seconds(),
        };
        Self {
            server: &state.server,
            at: now,
            health: state.health.as_ref().map(|told| told.value.as_str()),
            ready: state.ready.as_ref().map(|told| &told.value),
            log: state.ever.as_ref().map(log),
            block: state.block.as_ref().map(|block| Followed {
                block,
                lag_seconds: (now - block.time).num_seconds().max(0),
            }),
            jobs: depth(state),
            verifications: Status::ALL.map(|status| Count::of(status, ever, hour)),
            volume: volumes(state, ever, hour.map(|hour| &hour.stats)),
            refusals: ever.map_or(&[], |ever| &ever.refusals),
            finality: ever.map(|ever| ever.finality),
            newest: state.rows(),
            trouble: state.trouble.as_ref().map(|told| told.value.as_str()),
        }
    }
}

/// The queue says most; the statistics say a little, to everybody.
fn depth(state: &State) -> Option<Depth> {
    if let Some(Told { value: jobs, .. }) = state.jobs {
        let oldest_due_seconds = Some(jobs.oldest_due_seconds);
        return Some(Depth { waiting: jobs.waiting, dead: jobs.dead, oldest_due_seconds });
    }
    let lag = state.ever.as_ref()?.value.lag?;
    let (waiting, dead) = (lag.jobs_waiting?, lag.jobs_dead?);
    Some(Depth { waiting, dead, oldest_due_seconds: None })
}

impl Count {
    fn of(status: Status, ever: Option<&Stats>, hour: Option<&Hour>) -> Self {
        let is_it = |group: &&Group| group.status == status;
        let sum =
            |groups: &[Group]| groups.iter().filter(is_it).map(|group| group.count).sum::<u64>();
        let mut by_minute = vec![0; MINUTES];
        for group in hour.iter().flat_map(|hour| &hour.stats.by_time.groups).filter(is_it) {
            let minute = group.begins.zip(hour).map(|(at, hour)| (at - hour.from).num_minutes());
            let minute = minute.and_then(|minute| usize::try_from(minute).ok());
            if let Some(of_minute) = minute.and_then(|minute| by_minute.get_mut(minute)) {
                *of_minute += group.count;
            }
        }
        Self {
            status,
            now: ever.map_or(0, |ever| sum(&ever.totals)),
            last_hour: hour.map_or(0, |hour| sum(&hour.stats.totals)),
            by_minute,
        }
    }
}

fn volumes(state: &State, ever: Option<&Stats>, hour: Option<&Stats>) -> Vec<Volume> {
    let mut sums: BTreeMap<(&str, &str), [Sum; 2]> = BTreeMap::new();
    for (at, stats) in [ever, hour].into_iter().enumerate() {
        let groups = stats.into_iter().flat_map(|stats| &stats.totals);
        for group in groups.filter(|group| group.status == Status::Confirmed) {
            let sum =
                &mut sums.entry((group.network.as_str(), group.asset.as_str())).or_default()[at];
            sum.count += group.count;
            // What is no number is shown as nothing, beside a count that is not.
            sum.amount = sum.amount.saturating_add(group.amount.parse().unwrap_or(0));
        }
    }
    let volume = |((network, asset), sums): ((&str, &str), [Sum; 2])| {
        let decimals = state.decimals.get(asset).copied();
        let [ever, last_hour] =
            sums.map(|sum| Sum { money: words::money(sum.amount, asset, decimals), ..sum });
        Volume { network: network.to_owned(), asset: asset.to_owned(), ever, last_hour }
    };
    sums.into_iter().map(volume).collect()
}

/// When the last hour begins, by whole minutes, the one under way its last.
pub(super) fn hour_from(now: DateTime<Utc>) -> DateTime<Utc> {
    let into = TimeDelta::seconds(now.timestamp().rem_euclid(60))
        + TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()));
    now - into - TimeDelta::minutes(MINUTES as i64 - 1)
}

fn as_text<S: serde::Serializer>(number: &u128, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_with_a_minute() {
        let now: DateTime<Utc> = "2026-11-26T16:20:59.999Z".parse().unwrap();
        assert_eq!(hour_from(now).to_rfc3339(), "2026-11-26T15:21:00+00:00");
        assert_eq!(hour_from(hour_from(now)).to_rfc3339(), "2026-11-26T14:22:00+00:00");
    }
}
