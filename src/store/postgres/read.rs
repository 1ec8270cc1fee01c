//! Reads of the log's tables.
//!
//! Lines are checked as the other adapters check theirs: what is fetched becomes a small sorted
//! table, and is read by the same functions.

use std::collections::BTreeMap;

use ::sled::IVec;
use ccd402_app::ports::log::{Checked, Position, READ_EVENTS_MAX, Recorded, StreamId, Waiting};
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_protocol::network::NetworkId;
use chrono::DateTime;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;

use super::facts::bytes;
use super::number::{signed, unsigned};
use crate::error::Error;
use crate::{check, keys, read};

type Table = BTreeMap<IVec, IVec>;

/// Events of the whole log after a position up to the head, at most `max`.
pub(super) async fn all(
    pool: &PgPool,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Vec<Recorded>, Error> {
    let table = page(pool, after, read::page_end(head, after, max)).await?;
    read::all(&table, head, after, max)
}

/// Lines of the same.
pub(super) async fn lines(
    pool: &PgPool,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let table = page(pool, after, read::page_end(head, after, max)).await?;
    read::lines(&table, head, after, max)
}

/// Checks every hash and link of the same, and that the columns say what the lines say.
pub(super) async fn checked(
    pool: &PgPool,
    head: Position,
    after: Position,
    max: usize,
) -> Result<Checked, Error> {
    // The line at `after` holds the hash that the next one must name.
    let table = page(pool, after.saturating_sub(1), read::page_end(head, after, max)).await?;
    check::check(&table, head, after, max)
}

/// Events of a stream after a version.
pub(super) async fn stream(
    pool: &PgPool,
    stream: &StreamId,
    after: u64,
) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query(
        "SELECT position, stream, version, line FROM log_event \
         WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3",
    );
    let rows = rows.bind(stream.as_str()).bind(signed(after)).bind(signed(READ_EVENTS_MAX as u64));
    let table = table(&rows.fetch_all(pool).await?)?;
    read::stream(&table, Position::MAX, (stream, after), READ_EVENTS_MAX)
}

/// The newest event of a stream.
pub(super) async fn last(pool: &PgPool, stream: &StreamId) -> Result<Option<Recorded>, Error> {
    let rows = sqlx::query(
        "SELECT position, stream, version, line FROM log_event \
         WHERE stream = $1 ORDER BY version DESC LIMIT 1",
    );
    let table = table(&rows.bind(stream.as_str()).fetch_all(pool).await?)?;
    read::last(&table, Position::MAX, stream)
}

/// How many events each stream holds.
pub(super) async fn versions(pool: &PgPool, streams: &[StreamId]) -> Result<Vec<u64>, Error> {
    let names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
    let rows = sqlx::query(
        "SELECT asked.stream, newest.version FROM unnest($1::text[]) AS asked (stream) \
         CROSS JOIN LATERAL (SELECT version FROM log_event \
             WHERE log_event.stream = asked.stream ORDER BY version DESC LIMIT 1) AS newest",
    );
    let mut found = BTreeMap::new();
    for row in rows.bind(&names).fetch_all(pool).await? {
        found.insert(row.try_get::<String, _>(0)?, unsigned(row.try_get(1)?)?);
    }
    Ok(names.iter().map(|name| found.get(*name).copied().unwrap_or(0)).collect())
}

/// Who holds a claim.
pub(super) async fn claim_owner(
    pool: &PgPool,
    network: &NetworkId,
    transaction: TransactionHash,
) -> Result<Option<VerificationId>, Error> {
    let owner = sqlx::query_scalar(
        "SELECT verification FROM log_claim WHERE network = $1 AND transaction = $2",
    );
    let owner = owner.bind(network.as_str()).bind(&transaction.as_bytes()[..]);
    let owner: Option<Uuid> = owner.fetch_optional(pool).await?;
    Ok(owner.map(VerificationId))
}

/// Who waits for each transaction, first come first.
pub(super) async fn waiting_for(
    pool: &PgPool,
    network: &NetworkId,
    transactions: &[TransactionHash],
) -> Result<BTreeMap<TransactionHash, Vec<VerificationId>>, Error> {
    let hashes: Vec<&[u8]> = transactions.iter().map(|hash| &hash.as_bytes()[..]).collect();
    let rows = sqlx::query(
        "SELECT transaction, verification FROM log_waiting \
         WHERE network = $1 AND transaction = ANY ($2) ORDER BY position, verification",
    );
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows.bind(network.as_str()).bind(&hashes).fetch_all(pool).await? {
        let (transaction, verification) = waiter(&row)?;
        found.entry(transaction).or_default().push(verification);
    }
    Ok(found)
}

/// Everything that waits, in the order of transactions.
pub(super) async fn waiting(
    pool: &PgPool,
    network: &NetworkId,
    after: Option<Waiting>,
    max: usize,
) -> Result<Vec<Waiting>, Error> {
    let rows = sqlx::query(
        "SELECT transaction, verification, closes_at_seconds, closes_at_nanos FROM log_waiting \
         WHERE network = $1 AND (transaction, verification) > ($2, $3) \
         ORDER BY transaction, verification LIMIT $4",
    );
    // Before the first: no hash is empty.
    let hash = after.map_or(Vec::new(), |last| last.transaction.as_bytes().to_vec());
    let verification = after.map_or(Uuid::nil(), |last| last.verification.0);
    let rows = rows.bind(network.as_str()).bind(hash).bind(verification).bind(limit(max));
    let read = |row: &PgRow| {
        let (transaction, verification) = waiter(row)?;
        let bad = || Error::damaged(0, format!("the time of {verification} cannot be read"));
        let nanos = u32::try_from(row.try_get::<i32, _>(3)?).map_err(|_| bad())?;
        let closes_at = DateTime::from_timestamp(row.try_get(2)?, nanos).ok_or_else(bad)?;
        Ok(Waiting { transaction, verification, closes_at })
    };
    rows.fetch_all(pool).await?.iter().map(read).collect()
}

/// Names of streams that begin with a prefix.
pub(super) async fn streams(
    pool: &PgPool,
    prefix: &str,
    after: Option<&StreamId>,
    max: usize,
) -> Result<Vec<StreamId>, Error> {
    let rows = sqlx::query_scalar(
        "SELECT stream FROM log_event WHERE version = 1 \
         AND (stream || '|') >= $1 AND (stream || '|') > $2 AND (stream || '|') < $3 \
         ORDER BY (stream || '|') LIMIT $4",
    );
    let after = after.map_or(String::new(), |last| format!("{last}|"));
    // Names are plain ASCII: this one is greater than any that may follow.
    let end = format!("{prefix}\u{7f}");
    let rows = rows.bind(prefix).bind(after).bind(end).bind(limit(max));
    let names: Vec<String> = rows.fetch_all(pool).await?;
    Ok(names.into_iter().map(StreamId::from_stored).collect())
}

/// What is kept beside a stream.
pub(super) async fn attachment(pool: &PgPool, stream: &StreamId) -> Result<Option<Vec<u8>>, Error> {
    let bytes = sqlx::query_scalar("SELECT bytes FROM log_attachment WHERE stream = $1");
    Ok(bytes.bind(stream.as_str()).fetch_optional(pool).await?)
}

/// The lines after a position up to another. Whether one is missing is for their reader to say.
async fn page(pool: &PgPool, after: Position, to: Position) -> Result<Table, Error> {
    if to <= after {
        return Ok(Table::new());
    }
    let rows = sqlx::query(
        "SELECT position, stream, version, line FROM log_event \
         WHERE position > $1 AND position <= $2 ORDER BY position",
    );
    table(&rows.bind(signed(after)).bind(signed(to)).fetch_all(pool).await?)
}

fn table(rows: &[PgRow]) -> Result<Table, Error> {
    let mut table = Table::new();
    for row in rows {
        let position = unsigned(row.try_get(0)?)?;
        let stream = StreamId::from_stored(row.try_get(1)?);
        let version = unsigned(row.try_get(2)?)?;
        table.insert(keys::stream(&stream, version), keys::position_value(position));
        let line: &[u8] = row.try_get(3)?;
        table.insert(keys::event(position), IVec::from(line));
    }
    Ok(table)
}

fn waiter(row: &PgRow) -> Result<(TransactionHash, VerificationId), Error> {
    let transaction = TransactionHash::from_bytes(bytes(0, row.try_get(0)?)?);
    Ok((transaction, VerificationId(row.try_get(1)?)))
}

fn limit(max: usize) -> i64 {
    signed(max.min(READ_EVENTS_MAX) as u64)
}
