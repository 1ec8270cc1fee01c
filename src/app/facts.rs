//! What never changes about a verification, kept for those who filter events by it: an event names
//! its verification alone.
//!
//! A bounded memory of the log, and nothing else: what is not here is read from the stream's first
//! event.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::VerificationRequested;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::StreamId;

/// Verifications of one generation; two generations are kept, some 200 bytes each.
const GENERATION_MAX: usize = 16_384;

/// What never changes about a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) tenant: TenantId,
    pub(crate) payer: AccountAddress,
    pub(crate) pay_to: AccountAddress,
    pub(crate) transaction: TransactionHash,
}

impl Facts {
    pub(crate) fn of(requested: &VerificationRequested) -> Self {
        let payment = &requested.payment;
        Self {
            tenant: requested.tenant.clone(),
            payer: payment.payer,
            pay_to: payment.pay_to,
            transaction: payment.transaction,
        }
    }
}

/// The facts that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct FactsKept {
    generations: Mutex<Generations>,
}

/// What is found in the old generation moves to the new one; a full new one becomes the old.
#[derive(Debug, Default)]
struct Generations {
    new: HashMap<VerificationId, Facts>,
    old: HashMap<VerificationId, Facts>,
}

impl FactsKept {
    pub(crate) fn insert(&self, id: VerificationId, facts: Facts) {
        // Every change leaves the maps whole, so a panic elsewhere does not spoil them.
        let mut kept = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.new.len() >= GENERATION_MAX && !kept.new.contains_key(&id) {
            kept.old = std::mem::take(&mut kept.new);
        }
        kept.new.insert(id, facts);
    }

    fn get(&self, id: VerificationId) -> Option<Facts> {
        let mut kept = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = kept.new.get(&id) {
            return Some(facts.clone());
        }
        let facts = kept.old.remove(&id)?;
        drop(kept);
        self.insert(id, facts.clone());
        Some(facts)
    }
}

impl Facilitator {
    /// The facts of a verification, if there is such.
    pub(crate) async fn facts(&self, id: VerificationId) -> Result<Option<Facts>, Error> {
        if let Some(facts) = self.facts_kept.get(id) {
            return Ok(Some(facts));
        }
        let stream = self.log.read_stream(&StreamId::verification(id), 0).await?;
        let Some(Event::VerificationRequested(requested)) = stream.first().map(|one| &one.event)
        else {
            return Ok(None);
        };
        let facts = Facts::of(requested);
        self.facts_kept.insert(id, facts.clone());
        Ok(Some(facts))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: usize) -> VerificationId {
        VerificationId(Uuid::from_u128(number as u128))
    }

    #[test]
    fn only_so_many_are_kept_and_the_used_ones_longest() {
        let kept = FactsKept::default();
        let facts = Facts {
            tenant: TenantId::default(),
            payer: AccountAddress::from_bytes([1; 32]),
            pay_to: AccountAddress::from_bytes([2; 32]),
            transaction: TransactionHash::from_bytes([3; 32]),
        };
        for number in 0..4 * GENERATION_MAX {
            kept.insert(id(number), facts.clone());
            assert_eq!(kept.get(id(0)), Some(facts.clone()), "it is asked for all the time");
        }
        assert_eq!(kept.get(id(1)), None);
        let generations = kept.generations.lock().unwrap();
        assert!(generations.new.len() + generations.old.len() <= 2 * GENERATION_MAX);
    }
}
