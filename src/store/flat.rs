//! What columns of the read model hold, whichever database they are in.
//!
//! Times are nanoseconds since 1970, which last until the year 2262; later ones are held there.
//! Amounts are two integers, billions and rest: 64 bits with a sign are too few for the largest, and
//! sums of both stay exact. How a database names and types columns is its adapter's business.

use std::fmt::Display;

use ccd402_app::ports::read_model::{ReadModelError as Error, Status};
use ccd402_app::projections::verifications::{Outcome, Usage};
use ccd402_domain::amount::Amount;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use chrono::{DateTime, Utc};

/// What one of `amount_billions` is.
pub(crate) const BILLION: u64 = 1_000_000_000;

/// The columns of a row, in the order in which they are written and read.
pub(crate) const COLUMNS: &[&str] = &[
    "number",
    "id",
    "tenant",
    "network",
    "transaction_hash",
    "payer",
    "pay_to",
    "asset",
    "amount_billions",
    "amount_rest",
    "method",
    "url",
    "requested_at",
    "version",
    "changed",
    "status",
    "code",
    "detail",
    "block_height",
    "block_hash",
    "block_time",
    "decided_at",
    "usage",
    "reserved_until",
];

/// The columns of a listed resource, in the order of the table.
pub(crate) const RESOURCE_COLUMNS: &[&str] = &[
    "number",
    "tenant",
    "method",
    "url",
    "updated_at",
    "x402_version",
    "description",
    "mime_type",
    "max_timeout_seconds",
    "terms",
];

const FREE: &str = "free";
const RESERVED: &str = "reserved";
const USED: &str = "used";

/// What has become of a verification, in columns; what is not there is not known, or not changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flat<'a> {
    pub(crate) status: Option<&'static str>,
    pub(crate) code: Option<&'static str>,
    pub(crate) detail: Option<&'a str>,
    pub(crate) block: Option<BlockRef>,
    pub(crate) decided_at: Option<i64>,
    pub(crate) usage: Option<&'static str>,
    pub(crate) reserved_until: Option<i64>,
}

impl<'a> Flat<'a> {
    pub(crate) fn of(outcome: Option<&'a Outcome>, usage: Option<Usage>) -> Self {
        let (status, rejection, block, at) = match outcome {
            None => (None, None, None, None),
            Some(Outcome::Pending { transfer }) => (Some(Status::Pending), None, *transfer, None),
            Some(Outcome::Confirmed { block, at }) => {
                (Some(Status::Confirmed), None, Some(*block), Some(*at))
            }
            Some(Outcome::Failed { rejection, at }) => {
                (Some(Status::Failed), Some(rejection), None, Some(*at))
            }
        };
        let (usage, until) = match usage {
            None => (None, None),
            Some(Usage::Free) => (Some(FREE), None),
            Some(Usage::Reserved { until }) => (Some(RESERVED), Some(until)),
            Some(Usage::Used) => (Some(USED), None),
        };
        Self {
            status: status.map(Status::as_str),
            code: rejection.map(|rejection| rejection.code.as_str()),
            detail: rejection.map(|rejection| rejection.detail.as_str()),
            block,
            decided_at: at.map(nanos),
            usage,
            reserved_until: until.map(nanos),
        }
    }
}

/// The outcome of these columns; `rejection` reads what is said where it failed.
pub(crate) fn outcome(
    status: Status,
    block: Option<BlockRef>,
    decided_at: Option<i64>,
    rejection: impl FnOnce() -> Result<Rejection, Error>,
) -> Result<Outcome, Error> {
    match (status, block, decided_at.map(time)) {
        (Status::Pending, transfer, None) => Ok(Outcome::Pending { transfer }),
        (Status::Confirmed, Some(block), Some(at)) => Ok(Outcome::Confirmed { block, at }),
        (Status::Failed, None, Some(at)) => Ok(Outcome::Failed { rejection: rejection()?, at }),
        (status, ..) => Err(bad("outcome", status.as_str())),
    }
}

pub(crate) fn usage(name: &str, until: Option<i64>) -> Result<Usage, Error> {
    match (name, until) {
        (FREE, _) => Ok(Usage::Free),
        (USED, _) => Ok(Usage::Used),
        (RESERVED, Some(until)) => Ok(Usage::Reserved { until: time(until) }),
        (other, _) => Err(bad("usage", other)),
    }
}

pub(crate) fn status(name: &str) -> Result<Status, Error> {
    Status::named(name).ok_or_else(|| bad("status", name))
}

/// The amount of so many billions and a rest.
pub(crate) fn amount(billions: u64, rest: u64) -> Result<Amount, Error> {
    let units = billions.checked_mul(BILLION).and_then(|units| units.checked_add(rest));
    units.map(Amount::from_units).ok_or_else(|| bad("amount_billions", billions))
}

/// Nanoseconds since 1970.
pub(crate) fn nanos(time: DateTime<Utc>) -> i64 {
    let end = if time < DateTime::UNIX_EPOCH { i64::MIN } else { i64::MAX };
    time.timestamp_nanos_opt().unwrap_or(end)
}

pub(crate) fn time(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// Positions, versions and heights never come near the end of 64 bits with a sign.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What a column holds is none of what it should be.
pub(crate) fn bad(what: &str, value: impl Display) -> Error {
    Error::Damaged(format!("{value:.100} is no {what}"))
}
