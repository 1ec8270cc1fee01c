//! What a draft writes, in the columns of the tables, and the two statements that write it.
//!
//! Runs while the head is locked, so there is one step for what is added and one, where something
//! is, for what is removed.

use std::collections::BTreeMap;

use ccd402_app::ports::log::{Position, Recorded};
use ccd402_domain::tenant::TenantId;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::number::{signed, unsigned};
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::keys;
use crate::table::Table;
use crate::waits::Change;

const APPEND: &str = include_str!("sql/append.sql");
const REMOVE: &str = include_str!("sql/remove.sql");

/// How many of a tenant's verifications wait now.
pub(super) type Counts = Vec<(TenantId, u64)>;

/// What was written.
pub(super) struct Written {
    pub(super) tip: Tip,
    pub(super) events: Vec<Recorded>,
    /// Of the tenants whose waits it has begun or ended.
    pub(super) counts: Counts,
}

/// Columns of rows that say something of a transaction.
#[derive(Default)]
struct Transactions {
    networks: Vec<String>,
    hashes: Vec<Vec<u8>>,
    verifications: Vec<Uuid>,
    positions: Vec<i64>,
}

/// All columns.
#[derive(Default)]
struct Columns {
    lines: Vec<Vec<u8>>,
    claims: Transactions,
    begun: Transactions,
    closes_at_seconds: Vec<i64>,
    closes_at_nanos: Vec<i32>,
    tenants: Vec<String>,
    ended: Transactions,
    kept: Vec<String>,
    attachments: Vec<Vec<u8>>,
    released: Vec<String>,
}

/// Writes a draft that follows the locked head; not yet durable.
pub(super) async fn write<T: Table>(
    db: &mut PgConnection,
    head: Tip,
    mut draft: Draft<'_, T>,
) -> Result<Written, Error> {
    let (tip, events, waits) = (draft.tip(), draft.take_events(), draft.take_waits());
    let mut columns = Columns { lines: draft.take_lines(), ..Columns::default() };
    for (key, value) in draft.into_writes() {
        columns.add(&key, value.as_deref()).ok_or_else(|| unknown(tip.position))?;
    }
    columns.remove(db).await?;
    let counts = columns.append(db, (head, tip), &events, &deltas(waits)).await?;
    Ok(Written { tip, events, counts })
}

impl Columns {
    /// Sorts a write of the draft into its table; `None` for one that has none.
    fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<()> {
        match (key.first()?, value) {
            (b'c', Some(value)) => {
                let (owner, position) = keys::read_claim(value)?;
                self.claims.add(key, Some(owner.0), position)?;
            }
            (b'w', Some(value)) => {
                let (position, closes_at) = keys::read_waiting(value)?;
                self.begun.add(key, None, position)?;
                self.closes_at_seconds.push(closes_at.timestamp());
                self.closes_at_nanos.push(i32::try_from(closes_at.timestamp_subsec_nanos()).ok()?);
                self.tenants.push(keys::tenant_of_waiting(value)?.to_string());
            }
            (b'w', None) => self.ended.add(key, None, 0)?,
            (b'a', Some(bytes)) => {
                self.kept.push(keys::stream_of_attachment(key)?.to_owned());
                self.attachments.push(bytes.to_vec());
            }
            (b'a', None) => self.released.push(keys::stream_of_attachment(key)?.to_owned()),
            // Versions are columns of the events, and the head has its own row.
            (b's' | b'm', Some(_)) => {}
            _ => return None,
        }
        Some(())
    }

    async fn remove(&self, db: &mut PgConnection) -> Result<(), Error> {
        if self.ended.hashes.is_empty() && self.released.is_empty() {
            return Ok(());
        }
        let remove = sqlx::query(REMOVE)
            .bind(&self.ended.networks)
            .bind(&self.ended.hashes)
            .bind(&self.ended.verifications)
            .bind(&self.released);
        remove.execute(db).await?;
        Ok(())
    }

    async fn append(
        &self,
        db: &mut PgConnection,
        (head, tip): (Tip, Tip),
        events: &[Recorded],
        (tenants, deltas): &(Vec<String>, Vec<i64>),
    ) -> Result<Counts, Error> {
        let Self { claims, begun, .. } = self;
        let append = sqlx::query(APPEND)
            .bind(events.iter().map(|event| signed(event.position)).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.id).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.stream.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| signed(event.version)).collect::<Vec<_>>())
            .bind(&self.lines)
            .bind(&claims.networks)
            .bind(&claims.hashes)
            .bind(&claims.verifications)
            .bind(&claims.positions)
            .bind(&begun.networks)
            .bind(&begun.hashes)
            .bind(&begun.verifications)
            .bind(&begun.positions)
            .bind(&self.closes_at_seconds)
            .bind(&self.closes_at_nanos)
            .bind(&self.tenants)
            .bind(signed(tip.position))
            .bind(signed(head.position))
            .bind(&tip.hash.as_bytes()[..])
            .bind(&self.kept)
            .bind(&self.attachments)
            .bind(tenants)
            .bind(deltas);
        let mut counts = Counts::new();
        let mut has_moved = false;
        for row in append.fetch_all(db).await? {
            let number = unsigned(row.try_get("number")?)?;
            match row.try_get::<Option<&str>, _>("tenant")? {
                Some(tenant) => {
                    let tenant = tenant.parse().map_err(|_| unknown(tip.position))?;
                    counts.push((tenant, number));
                }
                None => has_moved = true,
            }
        }
        if !has_moved {
            return Err(Error::damaged(head.position, "the head moved while it was locked"));
        }
        Ok(counts)
    }
}

impl Transactions {
    fn add(&mut self, key: &[u8], owner: Option<Uuid>, position: Position) -> Option<()> {
        let (network, hash, verification) = keys::parts_of(key)?;
        self.networks.push(network.to_owned());
        self.hashes.push(hash.to_vec());
        self.verifications.push(owner.or(verification)?);
        self.positions.push(signed(position));
        Some(())
    }
}

/// How many more wait of each tenant, in the tenants' order: replicas lock rows in one order.
fn deltas(changes: Vec<Change>) -> (Vec<String>, Vec<i64>) {
    let mut of: BTreeMap<String, i64> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Begins(tenant) => *of.entry(tenant.to_string()).or_default() += 1,
            Change::Ends(tenant) => *of.entry(tenant.to_string()).or_default() -= 1,
        }
    }
    of.into_iter().filter(|(_, delta)| *delta != 0).unzip()
}

fn unknown(position: Position) -> Error {
    Error::damaged(position, "what follows from it cannot be written in columns")
}
