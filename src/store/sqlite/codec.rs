//! Rows as SQLite holds them, and back. What their columns hold is said by `flat`.

use std::str::FromStr;

use ccd402_app::ports::read_model::{ReadModelError as Error, Status};
use ccd402_app::projections::verifications::{Outcome, Patch, Row, Standing};
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Decode, Row as _, Sqlite, Type};

use crate::flat::{self, BILLION, Flat, bad, int, nanos, time};

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
        self.flat(Flat::of(Some(&row.standing.outcome), Some(row.standing.usage)));
    }

    /// A change, in the order that `write` gives its parameters.
    pub(super) fn patch(&mut self, id: VerificationId, patch: &Patch) {
        self.text(id.0.to_string());
        self.count(patch.follows);
        self.count(patch.version);
        self.count(patch.changed);
        self.flat(Flat::of(patch.outcome.as_ref(), patch.usage));
    }

    fn flat(&mut self, flat: Flat<'_>) {
        self.maybe_text(flat.status.map(str::to_owned));
        self.maybe_text(flat.code.map(str::to_owned));
        self.maybe_text(flat.detail.map(str::to_owned));
        self.maybe_int(flat.block.map(|block| int(block.height)));
        self.maybe_text(flat.block.map(|block| block.hash.to_string()));
        self.maybe_int(flat.block.map(|block| nanos(block.time)));
        self.maybe_int(flat.decided_at);
        self.maybe_text(flat.usage.map(str::to_owned));
        self.maybe_int(flat.reserved_until);
    }
}

/// A row that was read, its columns in the order of `COLUMNS`.
pub(super) fn row(read: &SqliteRow) -> Result<Row, Error> {
    let method = get::<String>(read, 10)?;
    let usage = flat::usage(get(read, 22)?, get(read, 23)?)?;
    Ok(Row {
        number: number(read, 0)?,
        id: parse(read, 1)?,
        tenant: parse(read, 2)?,
        network: parse(read, 3)?,
        transaction: parse(read, 4)?,
        payer: parse(read, 5)?,
        pay_to: parse(read, 6)?,
        asset: parse(read, 7)?,
        amount: flat::amount(number(read, 8)?, number(read, 9)?)?,
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
    let rejection = || Ok(Rejection { code: parse(read, 16)?, detail: get::<String>(read, 17)? });
    flat::outcome(status(read, 15)?, block, get(read, 21)?, rejection)
}

pub(super) fn status(read: &SqliteRow, at: usize) -> Result<Status, Error> {
    flat::status(get(read, at)?)
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
