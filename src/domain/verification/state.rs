//! What is known of a Verification: the fold of its events.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::{Digest, ReservationId, VerificationId};
use crate::payment::Payment;
use crate::rejection::Rejection;
use crate::tenant::TenantId;
use crate::transaction::BlockRef;
use crate::verification::event::{
    Consumer, TransactionSigned, VerificationConfirmed, VerificationRequested,
};

/// A Verification as its events tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Events so far: the version to expect when appending.
    pub version: u64,
    /// What was handed in.
    pub payment: Arc<Payment>,
    /// SHA-256 of the request's body.
    pub body: Digest,
    /// When it was handed in.
    pub requested_at: DateTime<Utc>,
    /// Whether the presentation is still to be checked.
    pub awaits_presentation: bool,
    /// Whether the account's signatures are still to be checked.
    pub awaits_signature: bool,
    /// What is sent for the payer, in hex, once the sponsor has signed it.
    pub block_item: Option<String>,
    /// Where it stands.
    pub outcome: Outcome,
    /// Who uses it.
    pub usage: Usage,
}

/// Where a Verification stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Not decided yet.
    Pending {
        /// The block of the transfer, once that is final.
        transfer: Option<BlockRef>,
    },
    /// Good and final.
    Confirmed {
        /// The block of the transfer.
        block: BlockRef,
    },
    /// Refused for good.
    Failed(Rejection),
}

/// Who uses a payment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// A hold that may have lapsed.
    pub reserved: Option<Reservation>,
    /// The last hold that was given back, so that giving it back again is no fault.
    pub released: Option<ReservationId>,
    /// A `/verify` was answered with valid.
    pub verified: bool,
    /// A `/settle` succeeded.
    pub settled: bool,
}

/// A hold on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// Known to the holder alone.
    pub id: ReservationId,
    /// When it lapses.
    pub until: DateTime<Utc>,
}

/// A stream that cannot have come from decisions: nothing may be concluded from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream of a verification is broken: {event} cannot be event {version}")]
pub struct BrokenHistory {
    /// The type of the event that does not fit.
    pub event: &'static str,
    /// Its version.
    pub version: u64,
}

impl Verification {
    /// Folds a stream; `None` where it is empty.
    ///
    /// # Errors
    /// Where an event cannot follow those before it.
    pub fn fold<'a>(
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Option<Self>, BrokenHistory> {
        events.into_iter().try_fold(None, |state, event| evolve(state, event).map(Some))
    }

    /// Whether the outcome is known.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        !matches!(self.outcome, Outcome::Pending { .. })
    }

    /// Whether it still waits for a transfer.
    #[must_use]
    pub fn is_open_to_transfers(&self) -> bool {
        self.outcome == Outcome::Pending { transfer: None }
    }

    /// Whether a proof of the payer's is still to be checked.
    #[must_use]
    pub fn awaits_proofs(&self) -> bool {
        self.awaits_presentation || self.awaits_signature
    }

    /// Whether a confirmation, and so its claim, is this Verification's own.
    fn is_named_by(&self, confirmed: &VerificationConfirmed) -> bool {
        confirmed.verification == self.id
            && confirmed.network == self.payment.network
            && confirmed.transaction == self.payment.transaction
    }

    fn is_to_be_signed(&self, signed: &TransactionSigned) -> bool {
        self.is_open_to_transfers()
            && self.payment.sponsored.is_some()
            && self.block_item.is_none()
            && signed.transaction == self.payment.transaction
    }

    fn is_held_by(&self, reservation: ReservationId) -> bool {
        self.usage.reserved.is_some_and(|held| held.id == reservation)
    }

    fn begin(requested: &VerificationRequested) -> Self {
        Self {
            id: requested.verification,
            tenant: requested.tenant.clone(),
            version: 1,
            payment: requested.payment.clone(),
            body: requested.body,
            requested_at: requested.requested_at,
            awaits_presentation: requested.payment.needs_presentation(),
            awaits_signature: requested.payment.needs_signature(),
            block_item: None,
            outcome: Outcome::Pending { transfer: None },
            usage: Usage::default(),
        }
    }
}

/// The state after one more event.
///
/// # Errors
/// Where the event cannot follow: history must not be guessed at.
pub fn evolve(state: Option<Verification>, event: &Event) -> Result<Verification, BrokenHistory> {
    let version = state.as_ref().map_or(1, |state| state.version + 1);
    let broken = BrokenHistory { event: event.name(), version };
    let Some(mut next) = state else {
        return match event {
            Event::VerificationRequested(requested) => Ok(Verification::begin(requested)),
            _ => Err(broken),
        };
    };
    next.version = version;
    let is_pending = !next.is_decided();
    let is_confirmed = matches!(next.outcome, Outcome::Confirmed { .. });
    let is_unused = !next.usage.verified && !next.usage.settled;
    match event {
        Event::IdentityVerified(_) if is_pending && next.awaits_presentation => {
            next.awaits_presentation = false;
        }
        Event::BindingVerified(_) if is_pending && next.awaits_signature => {
            next.awaits_signature = false;
        }
        Event::TransactionSigned(signed) if next.is_to_be_signed(signed) => {
            next.block_item = Some(signed.block_item.clone());
        }
        Event::TransferFinalized(seen) if next.outcome == (Outcome::Pending { transfer: None }) => {
            next.outcome = Outcome::Pending { transfer: Some(seen.block) };
        }
        Event::VerificationConfirmed(confirmed)
            if is_pending && !next.awaits_proofs() && next.is_named_by(confirmed) =>
        {
            next.outcome = Outcome::Confirmed { block: confirmed.block };
        }
        Event::VerificationFailed(failed) if is_pending => {
            next.outcome = Outcome::Failed(failed.rejection.clone());
        }
        Event::PaymentReserved(reserved) if is_confirmed && is_unused => {
            next.usage.reserved =
                Some(Reservation { id: reserved.reservation, until: reserved.until });
        }
        Event::PaymentReleased(released) if next.is_held_by(released.reservation) => {
            next.usage.reserved = None;
            next.usage.released = Some(released.reservation);
        }
        Event::PaymentConsumed(consumed) if is_confirmed && !next.usage.settled => {
            match consumed.by {
                Consumer::Verify if next.usage.verified => return Err(broken),
                Consumer::Verify => next.usage.verified = true,
                Consumer::Settle => next.usage.settled = true,
            }
            next.usage.reserved = None;
        }
        _ => return Err(broken),
    }
    Ok(next)
}
