//! What a caller of `/verify` and `/settle` is told.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::{ReservationId, TransactionHash, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::verification::state::Verification;

/// An answer: yes, or why not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Yes, perhaps with a reservation; or why not.
    pub result: Result<Option<ReservationId>, Rejection>,
    /// What it is about; absent where the request did not get as far as a verification.
    pub subject: Option<Subject>,
}

/// The verification that an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub verification: VerificationId,
    /// Who paid.
    pub payer: AccountAddress,
    /// By which transaction.
    pub transaction: TransactionHash,
    /// How much.
    pub amount: Amount,
}

impl Answer {
    /// A refusal of something that never became a verification.
    #[must_use]
    pub fn refused(rejection: Rejection) -> Self {
        Self { result: Err(rejection), subject: None }
    }

    /// An answer about a verification.
    #[must_use]
    pub fn about(state: &Verification, result: Result<Option<ReservationId>, Rejection>) -> Self {
        let subject = Subject {
            verification: state.id,
            payer: state.payment.payer,
            transaction: state.payment.transaction,
            amount: state.payment.amount,
        };
        Self { result, subject: Some(subject) }
    }
}
