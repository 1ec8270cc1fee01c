//! Why a payer paid nothing, or has paid and does not have the content yet.

use ccd402_domain::ids::TransactionHash;
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};

use crate::payer::record::Id;
use crate::payer::{journal, wallet};

/// Why the content was not received. Each says whether something was sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be made as it is. Nothing was sent.
    #[error("the request cannot be made: {0}")]
    Request(String),
    /// The resource server does not answer, or broke off in the middle of the content.
    #[error("the resource server does not answer: {0}")]
    Unreachable(String),
    /// It asks for a payment in words that cannot be read. Nothing was sent.
    #[error("the resource asks for a payment, but its 402 cannot be read: {0}")]
    NotUnderstood(String),
    /// None of its offers can be met with this wallet. Nothing was sent.
    #[error("the resource cannot be paid for: {0}")]
    NoOffer(String),
    /// The offer is for something else than what was asked for. Nothing was sent.
    #[error("the offer is for {offered}, but {asked} was asked for; it is not accepted")]
    OtherResource {
        /// As the offer names it.
        offered: String,
        /// As it was requested.
        asked: String,
    },
    /// The offer's challenge is closed, or about to be. Nothing was sent.
    #[error("the offer is out of time: {0}; ask again")]
    OutOfTime(String),
    /// More than the payer may spend. Nothing was sent.
    #[error("the resource costs {price}, which is over the limit: {limit}")]
    OverLimit {
        /// What it costs.
        price: String,
        /// What may be spent.
        limit: String,
    },
    /// No limit was set and nobody was asked. Nothing was sent.
    #[error("the resource costs {0}, and nobody has said how much may be spent; set a limit")]
    NoLimit(String),
    /// Whoever was asked said no. Nothing was sent.
    #[error("the payment was declined")]
    Declined,
    /// The account does not hold enough. Nothing was sent.
    #[error("insufficient funds: {needed} needed, {held} held")]
    InsufficientFunds {
        /// The price, and the fee where it is of the same asset.
        needed: String,
        /// What the account holds.
        held: String,
    },
    /// What the resource asks to be proven cannot be proven. Nothing was sent.
    #[error("this resource asks for {asked}; {reason}")]
    CannotProve {
        /// In plain words.
        asked: String,
        /// The wallet's reason.
        reason: String,
    },
    /// The wallet failed before anything was sent.
    #[error("the wallet cannot pay: {0}")]
    Wallet(#[from] wallet::Error),
    /// The journal failed. An unfinished payment in it is finished by the next run.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Another run with this wallet did not come to its end in time. Nothing was sent.
    #[error("another run is paying with this wallet; try again when it is done")]
    Busy,
    /// A sponsored payment of the wallet is not decided yet and comes first. Nothing was signed.
    #[error(
        "{payment} for {url} comes first: it may still be sent until {expires_at}; if its run was \
         cut off, the same request finishes it"
    )]
    InTheWay {
        /// Which payment.
        payment: Id,
        /// What it is for.
        url: String,
        /// When it can no longer be included.
        expires_at: DateTime<Utc>,
    },
    /// The node would not take the signed transfer. It stays written down until it has expired.
    #[error(
        "the node refused {payment}: {reason}; the next run tries it again, until \
         {expires_at}, and pays anew only after that"
    )]
    NotSent {
        /// Which payment.
        payment: Id,
        /// As the node says.
        reason: String,
        /// When it can no longer be included.
        expires_at: DateTime<Utc>,
    },
    /// Sent or handed in, not accepted yet. The next run for the same resource finishes it.
    #[error(
        "{payment} was made but not accepted in time: {why}; run the same request again: it \
         finishes this payment and does not pay again"
    )]
    Unfinished {
        /// Which payment.
        payment: Id,
        /// What was waited for last.
        why: String,
    },
    /// Sent or handed in, and the resource server refuses it.
    #[error("{payment} was made, but the resource server refuses it: {reason}")]
    Refused {
        /// Which payment.
        payment: Id,
        /// The code, where it gave one.
        code: String,
        /// The code's title, page, and what can be done.
        reason: String,
    },
    /// Closed: the payment moved nothing and never will.
    #[error("{payment} moved nothing: {reason}; the next run pays anew")]
    Closed {
        /// Which payment.
        payment: Id,
        /// Why.
        reason: String,
    },
    /// Closed: the payment was used before, by a run whose answer was lost, or that was killed
    /// before it could say so.
    #[error(
        "{payment} was used before: its content was delivered, or lost on \
         the way; it is closed, and the next run pays anew"
    )]
    Spent {
        /// Which payment.
        payment: Id,
    },
    /// The content is longer than the caller wants to hold.
    #[error("the content is longer than {0} bytes")]
    TooLong(usize),
}

impl Error {
    /// A stable word for programs; the protocol's code where there is one.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Unreachable(_) => "resource_unreachable",
            Self::NotUnderstood(_) => "payment_required_unreadable",
            Self::NoOffer(_) => "no_offer_for_wallet",
            Self::OtherResource { .. } => "offer_for_other_resource",
            Self::OutOfTime(_) => ReasonCode::ChallengeExpired.as_str(),
            Self::OverLimit { .. } => "over_limit",
            Self::NoLimit(_) => "no_limit",
            Self::Declined => "declined",
            Self::InsufficientFunds { .. } => ReasonCode::InsufficientFunds.as_str(),
            Self::CannotProve { .. } => "cannot_prove",
            Self::Wallet(_) => "wallet_failed",
            Self::Journal(_) => "journal_failed",
            Self::Busy | Self::InTheWay { .. } => "wallet_busy",
            Self::NotSent { .. } => "transfer_not_sent",
            Self::Unfinished { .. } => ReasonCode::TransactionPending.as_str(),
            Self::Refused { code, .. } => code,
            Self::Closed { .. } => "payment_closed",
            Self::Spent { .. } => ReasonCode::PaymentAlreadyUsed.as_str(),
            Self::TooLong(_) => "content_too_long",
        }
    }

    /// The payment that was signed, if it came to that.
    #[must_use]
    pub fn payment(&self) -> Option<Id> {
        match self {
            Self::NotSent { payment, .. }
            | Self::Unfinished { payment, .. }
            | Self::Refused { payment, .. }
            | Self::Spent { payment }
            | Self::Closed { payment, .. } => Some(*payment),
            _ => None,
        }
    }

    /// The transfer that was signed, where the payer sends it itself.
    #[must_use]
    pub fn transfer(&self) -> Option<TransactionHash> {
        match self.payment()? {
            Id::Hash(hash) => Some(hash),
            Id::Digest(_) => None,
        }
    }
}
