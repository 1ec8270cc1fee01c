//! What a payer's payments on their way will take, as one event tells it whole.
//!
//! The newest event of a payer is all that counts: no history must be read for it, and who decides
//! by an older one is told so when appending. Whether a payment may fly is `preflight`'s business.

use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::account::AccountAddress;
use crate::ids::VerificationId;
use crate::payment::Payment;
use crate::sponsored::payment::Sponsored;
use crate::sponsored::preflight::Hold;

/// Payments of one payer that may be on their way at once.
pub const HOLDS_MAX: usize = 128;
/// How long after its expiry a signed transaction may still turn up in a block that finalizes.
const FINALITY: TimeDelta = TimeDelta::seconds(60);

/// What a payer's sponsored payments on their way will take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HoldsChanged {
    /// Where.
    pub network: NetworkId,
    /// Whose.
    pub payer: AccountAddress,
    /// By their sequence numbers.
    pub holds: Vec<HeldPayment>,
}

/// One payment on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HeldPayment {
    /// Which.
    pub verification: VerificationId,
    /// What it takes.
    #[serde(flatten)]
    pub hold: Hold,
    /// When it takes nothing any more.
    pub until: DateTime<Utc>,
}

/// A payer's holds as they count at a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holds(Vec<HeldPayment>);

impl Holds {
    /// Of these, those that count at a time: neither lapsed nor used up by the chain.
    #[must_use]
    pub fn counting(all: Vec<HeldPayment>, next_sequence_number: u64, now: DateTime<Utc>) -> Self {
        let counts = |held: &HeldPayment| {
            now < held.until && held.hold.sequence_number >= next_sequence_number
        };
        Self(all.into_iter().filter(counts).collect())
    }

    /// All of them, by their sequence numbers.
    #[must_use]
    pub fn all(&self) -> &[HeldPayment] {
        &self.0
    }

    /// Whether a payment is held.
    #[must_use]
    pub fn of(&self, verification: VerificationId) -> Option<&HeldPayment> {
        self.0.iter().find(|held| held.verification == verification)
    }

    /// What all payments but this one take.
    #[must_use]
    pub fn others(&self, verification: VerificationId) -> Vec<Hold> {
        let others = self.0.iter().filter(|held| held.verification != verification);
        others.map(|held| held.hold.clone()).collect()
    }

    /// Whether there is room for one more payment.
    #[must_use]
    pub fn have_room(&self) -> bool {
        self.0.len() < HOLDS_MAX
    }

    /// With a payment held for a time; what it took before counts no more.
    #[must_use]
    pub fn with(mut self, held: HeldPayment) -> Self {
        self.0.retain(|other| other.verification != held.verification);
        let number = held.hold.sequence_number;
        let place = self.0.partition_point(|other| other.hold.sequence_number < number);
        self.0.insert(place, held);
        self
    }

    /// Without a payment; none if it is not held.
    #[must_use]
    pub fn without(mut self, verification: VerificationId) -> Option<Self> {
        let before = self.0.len();
        self.0.retain(|held| held.verification != verification);
        (self.0.len() < before).then_some(self)
    }

    /// The event that says so.
    #[must_use]
    pub fn event(self, network: NetworkId, payer: AccountAddress) -> HoldsChanged {
        HoldsChanged { network, payer, holds: self.0 }
    }
}

impl HeldPayment {
    /// A payment that nobody has settled yet: held until a time, and never longer than it can be
    /// settled.
    #[must_use]
    pub fn waiting(
        verification: VerificationId,
        payment: &Payment,
        until: DateTime<Utc>,
    ) -> Option<Self> {
        let until = until.min(payment.window.closes_at);
        payment.sponsored.as_deref().map(|terms| Self::of(verification, payment, terms, until))
    }

    /// A payment that is sent: held until it can be in no block any more.
    #[must_use]
    pub fn signed(verification: VerificationId, payment: &Payment) -> Option<Self> {
        let until = payment.window.closes_at + FINALITY;
        payment.sponsored.as_deref().map(|terms| Self::of(verification, payment, terms, until))
    }

    fn of(
        verification: VerificationId,
        payment: &Payment,
        terms: &Sponsored,
        until: DateTime<Utc>,
    ) -> Self {
        let hold = Hold {
            sequence_number: terms.sequence_number,
            asset: payment.asset.clone(),
            amount: payment.amount,
        };
        Self { verification, hold, until }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::asset::Asset;
    use crate::sample::{at, units};

    fn held(number: u64, until: i64) -> HeldPayment {
        HeldPayment {
            verification: VerificationId(Uuid::from_u128(u128::from(number))),
            hold: Hold { sequence_number: number, asset: Asset::Ccd, amount: units(number) },
            until: at(until),
        }
    }

    fn numbers(holds: &Holds) -> Vec<u64> {
        holds.all().iter().map(|held| held.hold.sequence_number).collect()
    }

    #[test]
    fn what_lapsed_or_was_carried_out_counts_no_more() {
        let all = vec![held(4, 60), held(5, 30), held(6, 60)];
        assert_eq!(numbers(&Holds::counting(all.clone(), 4, at(0))), [4, 5, 6]);
        assert_eq!(numbers(&Holds::counting(all.clone(), 5, at(30))), [6]);
        assert_eq!(numbers(&Holds::counting(all, 7, at(0))), [0; 0]);
    }

    #[test]
    fn a_payment_is_held_once_and_in_order() {
        let holds = Holds::default().with(held(6, 10)).with(held(4, 10)).with(held(5, 10));
        assert_eq!(numbers(&holds), [4, 5, 6]);
        let again = holds.clone().with(held(5, 99));
        assert_eq!(numbers(&again), [4, 5, 6]);
        assert_eq!(again.of(held(5, 0).verification).unwrap().until, at(99));
        assert_eq!(numbers(&again.clone().without(held(5, 0).verification).unwrap()), [4, 6]);
        assert_eq!(again.clone().without(held(7, 0).verification), None);
        let others = again.others(held(5, 0).verification);
        assert_eq!(others.iter().map(|hold| hold.sequence_number).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let full = (0..HOLDS_MAX as u64).map(|number| held(number, 1)).collect();
        let full = Holds::counting(full, 0, at(0));
        assert!(!full.have_room());
        assert!(Holds::counting(full.0, 1, at(0)).have_room());
    }
}
