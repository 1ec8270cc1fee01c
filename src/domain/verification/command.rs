//! What can be asked of a Verification.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ids::{Digest, ReservationId, VerificationId};
use crate::listing::Listing;
use crate::payment::Payment;
use crate::rejection::Rejection;
use crate::tenant::TenantId;
use crate::transaction::FinalizedTransaction;
use crate::verification::event::{Consumer, Proven};

/// A command to one Verification.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and is never kept")]
pub enum Command {
    /// Take this payment in.
    Request(Box<Request>),
    /// The presentation was checked and holds.
    RecordIdentity(Proven),
    /// The signatures were checked and hold.
    RecordBinding,
    /// The sponsor has signed the transaction; it may be sent.
    Sign {
        /// The finished block item, in hex.
        block_item: String,
    },
    /// A check refused the payment for good.
    Reject(Rejection),
    /// The transaction is final.
    RecordTransaction(FinalizedTransaction),
    /// Another verification holds the claim on the transaction.
    LoseClaim,
    /// The transaction can never come any more.
    Expire,
    /// Hold the payment for a resource server until it has answered.
    Reserve {
        /// Fresh id, known to the holder alone.
        reservation: ReservationId,
        /// Time of the command.
        now: DateTime<Utc>,
        /// When the hold lapses by itself.
        until: DateTime<Utc>,
    },
    /// Give a hold back.
    Release {
        /// As it was handed out.
        reservation: ReservationId,
    },
    /// Use the payment up.
    Consume(Consumer),
}

/// A payment to take in.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Of the new verification.
    pub verification: VerificationId,
    /// Whose it will be.
    pub tenant: TenantId,
    /// What was handed in.
    pub payment: Arc<Payment>,
    /// SHA-256 of the request's body.
    pub body: Digest,
    /// What is noted of the resource, where its seller wants it to be found.
    pub listing: Option<Listing>,
    /// Time of the command.
    pub now: DateTime<Utc>,
}
