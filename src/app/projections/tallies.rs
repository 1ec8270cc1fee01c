//! How many verifications of one sort there are, by when they were handed in: what every event adds
//! to such a count, and what it takes away.
//!
//! The only place that says what is counted together. Where counts are kept is the adapter's
//! business; nothing here reads a clock, so the same events always make the same counts, in however
//! many parts they come.

use std::collections::{BTreeMap, HashMap};

use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::VerificationRequested;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};

use crate::ports::log::{Position, Recorded};
use crate::ports::read_model::Status;

/// Bits of a time to finality that are kept: a time is told at most an eighth too long.
const PRECISION_BITS: u32 = 3;

/// How long the time is over which verifications are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Ever.
    Ever,
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Whose; everybody's where there is none.
    pub tenant: Option<TenantId>,
    /// Over how long a time.
    pub width: Width,
    /// When that time began; with [`Width::Ever`] in 1970.
    pub begins: DateTime<Utc>,
    /// Where they were paid.
    pub network: NetworkId,
    /// In what: its name in small letters, which is one however it was spelled.
    pub asset: String,
    /// Where they stand.
    pub status: Status,
    /// Why they failed, where they did.
    pub code: Option<ReasonCode>,
    /// How many milliseconds their confirmation took at most, where they were confirmed.
    pub took_ms: Option<u64>,
}

/// What is added to a count; what is negative is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Position of the event that began the count, if nothing was counted before.
    pub first: Position,
    /// How the asset was spelled by it.
    pub spelled: Asset,
    /// How many.
    pub count: i64,
    /// Smallest units.
    pub amount: i128,
}

/// What of a verification says with which others it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it was paid.
    pub network: NetworkId,
    /// In what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// When it was handed in.
    pub requested_at: DateTime<Utc>,
}

/// What some events add to the counts.
pub type Changes = BTreeMap<Group, Change>;

impl Width {
    /// Every width.
    pub const ALL: [Self; 3] = [Self::Ever, Self::Minute, Self::Hour];

    /// Its seconds; 0 is for ever.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::Ever => 0,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// When the time began that holds this moment.
    #[must_use]
    pub fn begin_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = self.seconds();
        let begin = if seconds == 0 { 0 } else { at.timestamp().div_euclid(seconds) * seconds };
        DateTime::from_timestamp(begin, 0).unwrap_or_default()
    }
}

impl Facts {
    /// Those of a verification that was just handed in.
    #[must_use]
    pub fn of(requested: &VerificationRequested) -> Self {
        let payment = &requested.payment;
        Self {
            tenant: requested.tenant.clone(),
            network: payment.network.clone(),
            asset: payment.asset.clone(),
            amount: payment.amount,
            requested_at: requested.requested_at,
        }
    }
}

/// Whose facts these events need that they do not tell themselves.
#[must_use]
pub fn unknown(events: &[Recorded]) -> Vec<VerificationId> {
    let mut begun = std::collections::HashSet::new();
    let mut unknown = Vec::new();
    for recorded in events {
        match (&recorded.event, recorded.stream.as_verification()) {
            (Event::VerificationRequested(_), Some(id)) => {
                begun.insert(id);
            }
            (Event::VerificationConfirmed(_) | Event::VerificationFailed(_), Some(id))
                if !begun.contains(&id) =>
            {
                unknown.push(id);
            }
            _ => {}
        }
    }
    unknown
}

/// What these events add to the counts; `known` are the facts of those that were handed in before.
#[must_use]
pub fn changes(events: &[Recorded], mut known: HashMap<VerificationId, Facts>) -> Changes {
    let mut changes = Changes::new();
    for recorded in events {
        let Some(id) = recorded.stream.as_verification() else { continue };
        let standing = match &recorded.event {
            Event::VerificationRequested(requested) => {
                let facts = known.entry(id).or_insert_with(|| Facts::of(requested));
                add(&mut changes, facts, (Status::Pending, None, None), (recorded.position, 1));
                continue;
            }
            Event::VerificationConfirmed(_) => None,
            Event::VerificationFailed(failed) => Some(failed.rejection.code),
            _ => continue,
        };
        // Rows that are not there are found by whoever writes them.
        let Some(facts) = known.get(&id) else { continue };
        let took = (recorded.time - facts.requested_at).num_milliseconds();
        let took = rounded_up(u64::try_from(took).unwrap_or(0));
        let decided = match standing {
            Some(code) => (Status::Failed, Some(code), None),
            None => (Status::Confirmed, None, Some(took)),
        };
        add(&mut changes, facts, (Status::Pending, None, None), (recorded.position, -1));
        add(&mut changes, facts, decided, (recorded.position, 1));
    }
    widened(&changes)
}

type Standing = (Status, Option<ReasonCode>, Option<u64>);

/// Counts a verification of its tenant in its minute; the wider counts are made of these.
fn add(
    changes: &mut Changes,
    facts: &Facts,
    (status, code, took_ms): Standing,
    (position, count): (Position, i64),
) {
    let amount = i128::from(facts.amount.units()) * i128::from(count);
    let group = Group {
        tenant: Some(facts.tenant.clone()),
        width: Width::Minute,
        begins: Width::Minute.begin_of(facts.requested_at),
        network: facts.network.clone(),
        asset: facts.asset.to_string().to_ascii_lowercase(),
        status,
        code,
        took_ms,
    };
    let begun = || Change { first: position, spelled: facts.asset.clone(), count: 0, amount: 0 };
    let change = changes.entry(group).or_insert_with(begun);
    change.count += count;
    change.amount += amount;
}

/// The same, of everybody as well, and in every width. What begins a count is its first event.
fn widened(minutes: &Changes) -> Changes {
    let mut changes = Changes::new();
    for (minute, change) in minutes {
        for tenant in [None, minute.tenant.clone()] {
            for width in Width::ALL {
                let begins = width.begin_of(minute.begins);
                let group = Group { tenant: tenant.clone(), width, begins, ..minute.clone() };
                let begun = || Change { count: 0, amount: 0, ..change.clone() };
                let wide = changes.entry(group).or_insert_with(begun);
                if change.first < wide.first {
                    wide.first = change.first;
                    wide.spelled = change.spelled.clone();
                }
                wide.count += change.count;
                wide.amount += change.amount;
            }
        }
    }
    changes
}

/// The longest of the times that are told as one: they differ in what follows their first bits.
#[must_use]
pub fn rounded_up(ms: u64) -> u64 {
    let bits = u64::BITS - ms.leading_zeros();
    let rest = bits.saturating_sub(PRECISION_BITS + 1);
    ms | ((1 << rest) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_at_most_an_eighth_too_long() {
        for ms in (0..5_000).chain([123_456, u64::MAX / 3, u64::MAX]) {
            let told = rounded_up(ms);
            assert!(told >= ms && u128::from(told - ms) * 8 <= u128::from(ms), "{ms}: {told}");
            assert_eq!(rounded_up(told), told, "{ms}");
        }
        assert_eq!([0, 15, 16, 17, 1_000].map(rounded_up), [0, 15, 17, 17, 1_023]);
    }

    #[test]
    fn times_begin_on_the_minute_and_the_hour() {
        let at: DateTime<Utc> = "2026-11-22T15:04:05.678Z".parse().unwrap();
        let begin = |width: Width| width.begin_of(at).to_rfc3339();
        assert_eq!(begin(Width::Minute), "2026-11-22T15:04:00+00:00");
        assert_eq!(begin(Width::Hour), "2026-11-22T15:00:00+00:00");
        assert_eq!(begin(Width::Ever), "1970-01-01T00:00:00+00:00");
        let before: DateTime<Utc> = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(Width::Hour.begin_of(before).to_rfc3339(), "1969-12-31T23:00:00+00:00");
    }
}
