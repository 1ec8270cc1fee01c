//! Rows as PostgreSQL holds them, and back: written as arrays, one a column, and read one by one.
//! What columns hold is said by `flat`.

use std::str::FromStr;

use ccd402_app::ports::read_model::{ReadModelError as Error, Status};
use ccd402_app::projections::verifications::{Outcome, Patch, Row, Standing};
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::{BlockHash, TransactionHash, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::BlockRef;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Decode, Row as _, Type};
use uuid::Uuid;

use crate::flat::{self, BILLION, Flat, bad, int, nanos, time};

/// A statement and what is bound to it.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Rows of verifications, in columns.
#[derive(Default)]
pub(super) struct RowColumns<'a> {
    numbers: Vec<i64>,
    ids: Vec<Uuid>,
    tenants: Vec<&'a str>,
    networks: Vec<&'a str>,
    transactions: Vec<&'a [u8]>,
    payers: Vec<&'a str>,
    pay_tos: Vec<&'a str>,
    assets: Vec<String>,
    billions: Vec<i64>,
    rests: Vec<i64>,
    methods: Vec<&'a str>,
    urls: Vec<&'a [u8]>,
    requested_at: Vec<i64>,
    versions: Vec<i64>,
    changed: Vec<i64>,
    flat: FlatColumns<'a>,
}

/// Changes of rows, in columns.
#[derive(Default)]
pub(super) struct PatchColumns<'a> {
    ids: Vec<Uuid>,
    follows: Vec<i64>,
    versions: Vec<i64>,
    changed: Vec<i64>,
    flat: FlatColumns<'a>,
}

/// What has become of verifications, in columns.
#[derive(Default)]
struct FlatColumns<'a> {
    statuses: Vec<Option<&'static str>>,
    codes: Vec<Option<&'static str>>,
    details: Vec<Option<&'a [u8]>>,
    heights: Vec<Option<i64>>,
    hashes: Vec<Option<Vec<u8>>>,
    times: Vec<Option<i64>>,
    decided_at: Vec<Option<i64>>,
    usages: Vec<Option<&'static str>>,
    reserved_until: Vec<Option<i64>>,
}

impl<'a> RowColumns<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let mut columns = Self::default();
        rows.iter().for_each(|row| columns.add(row));
        columns
    }

    fn add(&mut self, row: &'a Row) {
        self.numbers.push(int(row.number));
        self.ids.push(row.id.0);
        self.tenants.push(row.tenant.as_str());
        self.networks.push(row.network.as_str());
        self.transactions.push(row.transaction.as_bytes());
        self.payers.push(row.payer.as_str());
        self.pay_tos.push(row.pay_to.as_str());
        self.assets.push(row.asset.to_string());
        self.billions.push(int(row.amount.units() / BILLION));
        self.rests.push(int(row.amount.units() % BILLION));
        self.methods.push(&row.resource.method);
        self.urls.push(row.resource.url.as_bytes());
        self.requested_at.push(nanos(row.requested_at));
        self.versions.push(int(row.standing.version));
        self.changed.push(int(row.standing.changed));
        self.flat.add(Flat::of(Some(&row.standing.outcome), Some(row.standing.usage)));
    }

    /// Binds all, in the order of `COLUMNS`.
    pub(super) fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        let statement = statement
            .bind(self.numbers)
            .bind(self.ids)
            .bind(self.tenants)
            .bind(self.networks)
            .bind(self.transactions)
            .bind(self.payers)
            .bind(self.pay_tos)
            .bind(self.assets)
            .bind(self.billions)
            .bind(self.rests)
            .bind(self.methods)
            .bind(self.urls)
            .bind(self.requested_at)
            .bind(self.versions)
            .bind(self.changed);
        self.flat.bind(statement)
    }
}

impl<'a> PatchColumns<'a> {
    pub(super) fn add(&mut self, id: VerificationId, patch: &'a Patch) {
        self.ids.push(id.0);
        self.follows.push(int(patch.follows));
        self.versions.push(int(patch.version));
        self.changed.push(int(patch.changed));
        self.flat.add(Flat::of(patch.outcome.as_ref(), patch.usage));
    }

    /// Binds all, in the order that `write` names them.
    pub(super) fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        let statement =
            statement.bind(self.ids).bind(self.follows).bind(self.versions).bind(self.changed);
        self.flat.bind(statement)
    }
}

impl<'a> FlatColumns<'a> {
    fn add(&mut self, flat: Flat<'a>) {
        self.statuses.push(flat.status);
        self.codes.push(flat.code);
        self.details.push(flat.detail.map(str::as_bytes));
        self.heights.push(flat.block.map(|block| int(block.height)));
        self.hashes.push(flat.block.map(|block| block.hash.as_bytes().to_vec()));
        self.times.push(flat.block.map(|block| nanos(block.time)));
        self.decided_at.push(flat.decided_at);
        self.usages.push(flat.usage);
        self.reserved_until.push(flat.reserved_until);
    }

    fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        statement
            .bind(self.statuses)
            .bind(self.codes)
            .bind(self.details)
            .bind(self.heights)
            .bind(self.hashes)
            .bind(self.times)
            .bind(self.decided_at)
            .bind(self.usages)
            .bind(self.reserved_until)
    }
}

/// A row that was read, its columns in the order of `COLUMNS`.
pub(super) fn row(read: &PgRow) -> Result<Row, Error> {
    Ok(Row {
        number: number(read, 0)?,
        id: VerificationId(get(read, 1)?),
        tenant: parse(read, 2)?,
        network: parse(read, 3)?,
        transaction: TransactionHash::from_bytes(hash(read, 4)?),
        payer: parse(read, 5)?,
        pay_to: parse(read, 6)?,
        asset: parse(read, 7)?,
        amount: flat::amount(number(read, 8)?, number(read, 9)?)?,
        resource: Resource { method: get(read, 10)?, url: text(read, 11)? },
        requested_at: time(get(read, 12)?),
        standing: Standing {
            version: number(read, 13)?,
            changed: number(read, 14)?,
            outcome: outcome(read)?,
            usage: flat::usage(get(read, 22)?, get(read, 23)?)?,
        },
    })
}

fn outcome(read: &PgRow) -> Result<Outcome, Error> {
    let block = match get::<Option<i64>>(read, 18)? {
        None => None,
        Some(_) => Some(BlockRef {
            height: number(read, 18)?,
            hash: BlockHash::from_bytes(hash(read, 19)?),
            time: time(get(read, 20)?),
        }),
    };
    let rejection = || Ok(Rejection { code: parse(read, 16)?, detail: text(read, 17)? });
    flat::outcome(status(read, 15)?, block, get(read, 21)?, rejection)
}

pub(super) fn status(read: &PgRow, at: usize) -> Result<Status, Error> {
    flat::status(get(read, at)?)
}

/// A column as it is.
pub(super) fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    read: &'r PgRow,
    at: usize,
) -> Result<T, Error> {
    read.try_get(at).map_err(|error| Error::Damaged(error.to_string()))
}

/// A column that is no negative number.
pub(super) fn number(read: &PgRow, at: usize) -> Result<u64, Error> {
    let value: i64 = get(read, at)?;
    u64::try_from(value).map_err(|_| bad("number", value))
}

/// A column that is the text of something.
pub(super) fn parse<T: FromStr>(read: &PgRow, at: usize) -> Result<T, Error> {
    let text = get::<&str>(read, at)?;
    text.parse().map_err(|_| bad("column", text))
}

/// A column that holds a text's bytes.
pub(super) fn text(read: &PgRow, at: usize) -> Result<String, Error> {
    maybe_text(read, at)?.ok_or_else(|| bad("text", "NULL"))
}

pub(super) fn maybe_text(read: &PgRow, at: usize) -> Result<Option<String>, Error> {
    let Some(bytes) = get::<Option<Vec<u8>>>(read, at)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| bad("text", error))
}

/// A column that holds the bytes of some JSON.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Damaged(error.to_string()))
}

fn hash(read: &PgRow, at: usize) -> Result<[u8; 32], Error> {
    let bytes = get::<&[u8]>(read, at)?;
    bytes.try_into().map_err(|_| bad("hash", bytes.len()))
}
