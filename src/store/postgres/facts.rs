//! What the database knows that a batch of appends rests on, as the sorted table on which drafts are
//! decided.
//!
//! Only what the batch asks for is fetched: of a stream its newest event, and older ones only where
//! an append may repeat them. Nothing is decided here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::sled::IVec;
use ccd402_app::ports::log::{Position, StreamId};
use ccd402_domain::ids::{Digest, TransactionHash, VerificationId};
use ccd402_protocol::network::NetworkId;
use chrono::DateTime;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::number::{signed, unsigned};
use crate::draft::Tip;
use crate::error::Error;
use crate::index::{IndexChange, Wait};
use crate::keys;
use crate::prepare::{Call, Prepared};

const FACTS: &str = include_str!("sql/facts.sql");
const PLACES: &str = include_str!("sql/places.sql");

/// What a batch asks about.
#[derive(Default)]
pub(super) struct Questions {
    streams: BTreeSet<StreamId>,
    claims: Asked,
    waits: Asked,
}

/// Keys of claims or of waits, in columns.
#[derive(Default)]
struct Asked {
    seen: BTreeSet<IVec>,
    networks: Vec<String>,
    transactions: Vec<Vec<u8>>,
    verifications: Vec<Uuid>,
}

/// Facts as a sorted table.
pub(super) type Table = BTreeMap<IVec, IVec>;

/// What there is of it, and where the log ended then.
pub(super) struct Facts {
    pub(super) tip: Tip,
    pub(super) table: Table,
}

impl Questions {
    /// The questions of some calls.
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut questions = Self::default();
        for append in calls.iter().flat_map(|call| &call.appends) {
            for event in &append.events {
                questions.ask(&append.stream, &event.index);
            }
        }
        questions
    }

    /// The same without what is only asked to see whether a stream that begins is new, and nothing
    /// waits in its name: the unique key of streams tells that when it is written.
    fn of_all_but_new(calls: &[Call]) -> Self {
        let mut questions = Self::default();
        for append in calls.iter().flat_map(|call| &call.appends) {
            let begins = append.expected == 0;
            for event in &append.events {
                match &event.index.claim {
                    _ if !begins => questions.ask(&append.stream, &event.index),
                    Some(claim) => questions.claims.add(&claim.key),
                    None => {}
                }
            }
        }
        questions
    }

    fn is_empty(&self) -> bool {
        let Self { streams, claims, waits } = self;
        streams.is_empty() && claims.seen.is_empty() && waits.seen.is_empty()
    }

    /// Asks about one event more.
    pub(super) fn ask(&mut self, stream: &StreamId, change: &IndexChange) {
        if let Some(claim) = &change.claim {
            self.claims.add(&claim.key);
        }
        if let Some(Wait::Begins(key, ..) | Wait::Ends(key)) = &change.wait {
            self.waits.add(key);
        }
        if !self.streams.contains(stream) {
            self.streams.insert(stream.clone());
        }
    }
}

impl Asked {
    fn add(&mut self, key: &IVec) {
        let parts = keys::parts_of(key).expect("keys of claims and waits are made of these parts");
        let (network, transaction, verification) = parts;
        if self.seen.insert(key.clone()) {
            self.networks.push(network.to_owned());
            self.transactions.push(transaction.to_owned());
            self.verifications.extend(verification);
        }
    }
}

impl Facts {
    /// Nothing is there.
    fn none() -> Self {
        Self { tip: Tip::empty(), table: Table::new() }
    }

    /// Asks what unique keys do not tell, where that is anything.
    pub(super) async fn fetch_early(db: &mut PgConnection, calls: &[Call]) -> Result<Self, Error> {
        let questions = Questions::of_all_but_new(calls);
        match questions.is_empty() {
            true => Ok(Self::none()),
            false => Self::fetch(db, &questions, calls).await,
        }
    }

    /// More facts; where both say something of the same, the later holds.
    pub(super) fn add(&mut self, mut later: Self) {
        self.table.append(&mut later.table);
    }

    /// Asks, in one look for all; in a second for events that an append may repeat.
    pub(super) async fn fetch(
        db: &mut PgConnection,
        questions: &Questions,
        calls: &[Call],
    ) -> Result<Self, Error> {
        let Questions { streams, claims, waits } = questions;
        let streams: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
        let rows = sqlx::query(FACTS)
            .bind(&streams)
            .bind(&claims.networks)
            .bind(&claims.transactions)
            .bind(&waits.networks)
            .bind(&waits.transactions)
            .bind(&waits.verifications)
            .fetch_all(&mut *db)
            .await?;
        let mut facts = Self::none();
        let mut versions = HashMap::new();
        let mut has_head = false;
        for row in &rows {
            match row.try_get("kind")? {
                0 => {
                    facts.tip = head(row)?;
                    has_head = true;
                }
                1 => {
                    let (stream, version) = facts.put_stream(row)?;
                    versions.insert(stream, version);
                }
                2 => facts.put_claim(row)?,
                _ => facts.put_wait(row)?,
            }
        }
        if !has_head {
            return Err(Error::damaged(0, "the row that says where the log ends is gone"));
        }
        facts.fetch_places(db, calls, &versions).await?;
        Ok(facts)
    }

    /// The events at the places where a call wants to put some, as far as they are taken. They
    /// never change: it does not matter how much later this is read.
    async fn fetch_places(
        &mut self,
        db: &mut PgConnection,
        calls: &[Call],
        versions: &HashMap<StreamId, u64>,
    ) -> Result<(), Error> {
        let (mut streams, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
        for append in calls.iter().flat_map(|call| &call.appends) {
            let Prepared { stream, expected, events, .. } = append;
            let newest = versions.get(stream).copied().unwrap_or(0);
            if *expected < newest {
                streams.push(stream.as_str());
                firsts.push(signed(expected + 1));
                lasts.push(signed(newest.min(expected + events.len() as u64)));
            }
        }
        if streams.is_empty() {
            return Ok(());
        }
        let places = sqlx::query(PLACES).bind(&streams).bind(&firsts).bind(&lasts);
        for row in places.fetch_all(db).await? {
            self.put_stream(&row)?;
            let position = unsigned(row.try_get("position")?)?;
            let line: &[u8] = row.try_get("line")?;
            self.table.insert(keys::event(position), IVec::from(line));
        }
        Ok(())
    }

    fn put_stream(&mut self, row: &PgRow) -> Result<(StreamId, u64), Error> {
        let stream = StreamId::from_stored(row.try_get("name")?);
        let version = unsigned(row.try_get("number")?)?;
        let position = unsigned(row.try_get("position")?)?;
        self.table.insert(keys::stream(&stream, version), keys::position_value(position));
        Ok((stream, version))
    }

    fn put_claim(&mut self, row: &PgRow) -> Result<(), Error> {
        let (network, transaction, position) = transaction_of(row)?;
        let owner = VerificationId(row.try_get("verification")?);
        let key = keys::claim(&network, transaction);
        self.table.insert(key, keys::claim_value(owner, position));
        Ok(())
    }

    fn put_wait(&mut self, row: &PgRow) -> Result<(), Error> {
        let (network, transaction, position) = transaction_of(row)?;
        let verification = VerificationId(row.try_get("verification")?);
        let bad = || Error::damaged(position, "the index of what waits cannot be read");
        let nanos = u32::try_from(row.try_get::<i32, _>("nanos")?).map_err(|_| bad())?;
        let closes_at = DateTime::from_timestamp(row.try_get("number")?, nanos).ok_or_else(bad)?;
        let tenant = row.try_get::<&str, _>("tenant")?.parse().map_err(|_| bad())?;
        let key = keys::waiting(&network, transaction, verification);
        self.table.insert(key, keys::waiting_value(position, closes_at, &tenant));
        Ok(())
    }
}

/// Where a row says that the log ends.
pub(super) fn head(row: &PgRow) -> Result<Tip, Error> {
    let position = unsigned(row.try_get("position")?)?;
    Ok(Tip { position, hash: Digest::from_bytes(bytes(position, row.try_get("hash")?)?) })
}

fn transaction_of(row: &PgRow) -> Result<(NetworkId, TransactionHash, Position), Error> {
    let position = unsigned(row.try_get("position")?)?;
    let network: &str = row.try_get("name")?;
    let network = network.parse().map_err(|_| Error::damaged(position, "an unknown network"))?;
    let transaction = TransactionHash::from_bytes(bytes(position, row.try_get("hash")?)?);
    Ok((network, transaction, position))
}

/// The 32 bytes of a hash.
pub(super) fn bytes(position: Position, hash: &[u8]) -> Result<[u8; 32], Error> {
    hash.try_into().map_err(|_| Error::damaged(position, "a hash is not of 32 bytes"))
}
