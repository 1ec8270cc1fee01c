//! Sponsored payments on their way: their sequence numbers are signed for, and nobody else may sign
//! for them.
//!
//! The chain takes one transaction for each number, in order. So a payment is numbered after those
//! that live runs have on their way. One that was left behind may never be handed in, and whatever
//! is signed behind it would wait in vain: it is waited for until the chain has decided it.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::asset::Asset;
use chrono::TimeDelta;

use crate::payer::Payer;
use crate::payer::answer::blocking;
use crate::payer::error::Error;
use crate::payer::journal::{self, Journal, Lock};
use crate::payer::offer::How;
use crate::payer::options::Step;
use crate::payer::record::{Id, Record, State};

/// How far the nodes of one wallet may lie apart: a payment is given up this long after the chain
/// has passed its expiry.
pub(crate) const NODES_APART_MAX: TimeDelta = TimeDelta::seconds(30);

/// Why a payment is closed that can never come.
pub(crate) const EXPIRED: &str = "it expired and was never included in a block";

/// The sponsored payments of a wallet that the chain may still take, and that no node counts yet.
#[derive(Debug, Default)]
pub(crate) struct Flights(Vec<Flight>);

#[derive(Debug)]
struct Flight {
    record: Record,
    /// No run works on it.
    is_left_behind: bool,
}

impl Flights {
    /// What they will take of an asset; smallest units.
    pub(crate) fn take(&self, asset: &Asset) -> u128 {
        let of_it = self.0.iter().filter(|flight| flight.record.asset == *asset);
        of_it.map(|flight| u128::from(flight.record.amount.units())).sum()
    }

    /// The first number from `next` on that none of them has.
    pub(crate) fn free_from(&self, next: u64) -> u64 {
        let has = |flight: &Flight, number| flight.record.sequence_number() == Some(number);
        let is_free = |number: &u64| !self.0.iter().any(|flight| has(flight, *number));
        (next..=u64::MAX).find(is_free).unwrap_or(next)
    }

    /// The payment that must be decided before one can be signed. A node takes a transfer of the
    /// payer's own only once every number below it is used, so those of live runs are in its way.
    pub(crate) fn in_the_way_of(&self, how: &How) -> Option<&Record> {
        let is_in_the_way = |flight: &&Flight| match how {
            How::Hash { .. } => true,
            How::Sponsored { .. } => flight.is_left_behind,
        };
        self.0.iter().find(is_in_the_way).map(|flight| &flight.record)
    }
}

impl Payer {
    /// What is on its way now. A payment whose content came counts, too: its server may settle it
    /// after it has answered. One that was left behind and can never come is closed, before its
    /// number is signed for again: the two could not be told apart on chain.
    pub(crate) async fn flights(&self, lock: &Lock) -> Result<Flights, Error> {
        let (journal, taken, payer) = (self.journal.clone(), lock.clone(), self.wallet.address());
        let found = blocking(move || found(&journal, &taken, &payer)).await?;
        if found.is_empty() {
            return Ok(Flights::default());
        }
        // The time first: a number that is free after the payment has expired stays free of it.
        let reached = self.wallet.time_finalized().await?;
        let next = self.wallet.next_number().await?;
        let mut flights = Vec::new();
        for flight in found {
            let record = &flight.record;
            if record.sequence_number() < Some(next) {
                continue;
            }
            let has_expired = reached > record.expires_at + NODES_APART_MAX;
            if has_expired && flight.is_left_behind {
                self.close_expired(lock, record.id()).await?;
            } else if !has_expired || record.is_open() {
                flights.push(flight);
            }
        }
        Ok(Flights(flights))
    }

    async fn close_expired(&self, lock: &Lock, payment: Id) -> Result<(), Error> {
        let (journal, lock) = (self.journal.clone(), lock.clone());
        let taken = blocking(move || journal.take(&lock, &payment)).await?;
        let Some((record, claim)) = taken else { return Ok(()) };
        let (at, reason) = (self.now(), EXPIRED.to_owned());
        let closed = record.closed(State::Failed { at, reason: reason.clone() });
        self.write(closed, claim).await?;
        self.tell(Step::Closed { payment, reason });
        Ok(())
    }
}

/// What may be on its way as far as the journal knows.
fn found(
    journal: &Journal,
    lock: &Lock,
    payer: &AccountAddress,
) -> Result<Vec<Flight>, journal::Error> {
    let may_fly = |record: &Record| {
        record.sequence_number().is_some()
            && record.payer.is_alias_of(payer)
            && !matches!(record.state, State::Failed { .. })
    };
    let records = journal.records()?.into_iter().filter(may_fly);
    let flights = records.map(|record| {
        let is_left_behind = journal.is_left_behind(lock, &record)?;
        Ok(Flight { record, is_left_behind })
    });
    flights.collect()
}
