//! Rows as SQLite holds them, and back.
//!
//! Times are nanoseconds since 1970, which last until the year 2262; later ones are held there.
//! Amounts are two integers, billions and rest: SQLite's integers are too small for the largest, and
//! sums of both stay exact.

use std::fmt::Display;
use std::str::FromStr;

use ccd402_app::ports::read_model::{ReadModelError as Error, Status};
use ccd402_app::projections::verifications::{Outcome, Patch, Row, Standing, Usage};
use ccd402_domain::amount::Amount;
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Decode, Row as _, Sqlite, Type};

/// What one of `amount_billions` is.
pub(super) const BILLION: u64 = 1_000_000_000;

const FREE: &str = "free";
const RESERVED: &str = "reserved";
const USED: &str = "used";

/// The values of one statement, in the order of its parameters.
#[derive(Default)]
pub(super) struct Values(SqliteArguments);

impl Values {
    pub(super) fn into_arguments(self) -> SqliteArguments {
        self.0
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.0.add(text.into()).expect("texts have an encoding");
    }

    pub(super) fn int(&mut self, value: i64) {
        self.0.add(value).expect("integers have an encoding");
    }

    pub(super) fn count(&mut self, value: u64) {
        self.int(int(value));
    }

    pub(super) fn maybe_text(&mut self, text: Option<String>) {
        self.0.add(text).expect("texts have an encoding");
    }

    fn maybe_int(&mut self, value: Option<i64>) {
        self.0.add(value).expect("integers have an encoding");
    }

    /// A row, in the order of `COLUMNS`.
    pub(super) fn row(&mut self, row: &Row) {
        self.count(row.number);
        self.text(row.id.0.to_string());
        self.text(row.tenant.as_str());
        self.text(row.network.as_str());
        self.text(row.transaction.to_string());
        self.text(row.payer.as_str());
        self.text(row.pay_to.as_str());
        self.text(row.asset.to_string());
        self.count(row.amount.units() / BILLION);
        self.count(row.amount.units() % BILLION);
        self.text(row.resource.method.as_str());
        self.text(row.resource.url.as_str());
        self.int(nanos(row.requested_at));
        self.count(row.standing.version);
        self.count(row.standing.changed);
        self.outcome(Some(&row.standing.outcome));
        self.usage(Some(row.standing.usage));
    }

    /// A change, in the order that `write` gives its parameters.
    pub(super) fn patch(&mut self, id: VerificationId, patch: &Patch) {
        self.text(id.0.to_string());
        self.count(patch.follows);
        self.count(patch.version);
        self.count(patch.changed);
        self.outcome(patch.outcome.as_ref());
        self.usage(patch.usage);
    }

    fn outcome(&mut self, outcome: Option<&Outcome>) {
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
        self.maybe_text(status.map(|status| status.as_str().to_owned()));
        self.maybe_text(rejection.map(|rejection| rejection.code.as_str().to_owned()));
        self.maybe_text(rejection.map(|rejection| rejection.detail.clone()));
        self.maybe_int(block.map(|block| int(block.height)));
        self.maybe_text(block.map(|block| block.hash.to_string()));
        self.maybe_int(block.map(|block| nanos(block.time)));
        self.maybe_int(at.map(nanos));
    }

    fn usage(&mut self, usage: Option<Usage>) {
        let (name, until) = match usage {
            None => (None, None),
            Some(Usage::Free) => (Some(FREE), None),
            Some(Usage::Reserved { until }) => (Some(RESERVED), Some(until)),
            Some(Usage::Used) => (Some(USED), None),
        };
        self.maybe_text(name.map(str::to_owned));
        self.maybe_int(until.map(nanos));
    }
}

/// A row that was read, its columns in the order of `COLUMNS`.
pub(super) fn row(read: &SqliteRow) -> Result<Row, Error> {
    let method = get::<String>(read, 10)?;
    let usage = match (get::<&str>(read, 22)?, get::<Option<i64>>(read, 23)?) {
        (FREE, _) => Usage::Free,
        (USED, _) => Usage::Used,
        (RESERVED, Some(until)) => Usage::Reserved { until: time(until) },
        (other, _) => return Err(bad("usage", other)),
    };
    Ok(Row {
        number: number(read, 0)?,
        id: parse(read, 1)?,
        tenant: parse(read, 2)?,
        network: parse(read, 3)?,
        transaction: parse(read, 4)?,
        payer: parse(read, 5)?,
        pay_to: parse(read, 6)?,
        asset: parse(read, 7)?,
        amount: amount(number(read, 8)?, number(read, 9)?)?,
        resource: Resource { method, url: get(read, 11)? },
        requested_at: time(get(read, 12)?),
        standing: Standing {
            version: number(read, 13)?,
            changed: number(read, 14)?,
            outcome: outcome(read)?,
            usage,
        },
    })
}

fn outcome(read: &SqliteRow) -> Result<Outcome, Error> {
    let block = match get::<Option<i64>>(read, 18)? {
        None => None,
        Some(_) => Some(BlockRef {
            height: number(read, 18)?,
            hash: parse(read, 19)?,
            time: time(get(read, 20)?),
        }),
    };
    let at = get::<Option<i64>>(read, 21)?.map(time);
    match (status(read, 15)?, block, at) {
        (Status::Pending, transfer, None) => Ok(Outcome::Pending { transfer }),
        (Status::Confirmed, Some(block), Some(at)) => Ok(Outcome::Confirmed { block, at }),
        (Status::Failed, None, Some(at)) => {
            let rejection = Rejection { code: parse(read, 16)?, detail: get(read, 17)? };
            Ok(Outcome::Failed { rejection, at })
        }
        (status, ..) => Err(bad("outcome", status.as_str())),
    }
}

/// The amount of so many billions and a rest.
pub(super) fn amount(billions: u64, rest: u64) -> Result<Amount, Error> {
    let units = billions.checked_mul(BILLION).and_then(|units| units.checked_add(rest));
    units.map(Amount::from_units).ok_or_else(|| bad("amount_billions", billions))
}

pub(super) fn status(read: &SqliteRow, at: usize) -> Result<Status, Error> {
    let name = get::<&str>(read, at)?;
    Status::named(name).ok_or_else(|| bad("status", name))
}

/// A column as it is.
pub(super) fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    read: &'r SqliteRow,
    at: usize,
) -> Result<T, Error> {
    read.try_get(at).map_err(|error| Error::Damaged(error.to_string()))
}

/// A column that is no negative number.
pub(super) fn number(read: &SqliteRow, at: usize) -> Result<u64, Error> {
    let value: i64 = get(read, at)?;
    u64::try_from(value).map_err(|_| bad("number", value))
}

/// A column that is the text of something.
pub(super) fn parse<T: FromStr>(read: &SqliteRow, at: usize) -> Result<T, Error> {
    let text = get::<&str>(read, at)?;
    text.parse().map_err(|_| bad("column", text))
}

/// Nanoseconds since 1970.
pub(super) fn nanos(time: DateTime<Utc>) -> i64 {
    let end = if time < DateTime::UNIX_EPOCH { i64::MIN } else { i64::MAX };
    time.timestamp_nanos_opt().unwrap_or(end)
}

pub(super) fn time(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// Positions, versions and heights never come near the end of SQLite's integers.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn bad(what: &str, value: impl Display) -> Error {
    Error::Damaged(format!("{value:.100} is no {what}"))
}
