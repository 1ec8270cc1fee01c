//! What follows from a command: events, or a rejection. The only place where a Verification's
//! outcome is decided.

use std::sync::Arc;

use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::ReservationId;
use crate::payment::ConsumeOn;
use crate::rejection::Rejection;
use crate::rules;
use crate::transaction::{BlockRef, FinalizedTransaction};
use crate::verification::command::{Command, Request};
use crate::verification::event::{
    BindingVerified, Consumer, IdentityVerified, PaymentConsumed, PaymentReleased, PaymentReserved,
    Proven, TransactionSigned, TransferFinalized, VerificationConfirmed, VerificationFailed,
    VerificationRequested,
};
use crate::verification::state::{Outcome, Verification};

/// The events that follow from a command; none where it changes nothing.
///
/// Commands that report a finding are idempotent: on a decided Verification they change nothing.
///
/// # Errors
/// A [`Rejection`] where the command is refused: a payment that is used up, held, or not confirmed.
pub fn decide(state: Option<&Verification>, command: Command) -> Result<Vec<Event>, Rejection> {
    let Some(state) = state else {
        return match command {
            Command::Request(request) => Ok(vec![requested(*request)]),
            _ => Err(Rejection::of(ReasonCode::VerificationNotFound)),
        };
    };
    match command {
        Command::Request(request) => repeated(state, &request),
        Command::Reserve { reservation, now, until } => {
            may_reserve(state, now)?;
            Ok(vec![PaymentReserved { reservation, until }.into()])
        }
        Command::Release { reservation } => release(state, reservation),
        Command::Consume(by) => {
            may_consume(state, by)?;
            Ok(vec![PaymentConsumed { by }.into()])
        }
        Command::Sign { block_item } => sign(state, block_item),
        _ if state.is_decided() => Ok(Vec::new()),
        Command::RecordIdentity(proven) => Ok(identity_verified(state, proven)),
        Command::RecordBinding => Ok(binding_verified(state)),
        Command::RecordTransaction(transaction) => Ok(transaction_final(state, &transaction)),
        Command::Reject(rejection) => Ok(vec![failed(state, rejection)]),
        Command::LoseClaim => {
            let rejection = Rejection::of(ReasonCode::PaymentAlreadyUsed);
            Ok(vec![failed(state, rejection)])
        }
        Command::Expire => Ok(expired(state)),
    }
}

fn requested(request: Request) -> Event {
    VerificationRequested {
        verification: request.verification,
        tenant: request.tenant,
        payment: request.payment,
        body: request.body,
        requested_at: request.now,
        listing: request.listing.map(Arc::new),
    }
    .into()
}

/// The same request again changes nothing; another one under the same id is refused.
fn repeated(state: &Verification, request: &Request) -> Result<Vec<Event>, Rejection> {
    if state.payment == request.payment {
        Ok(Vec::new())
    } else if state.payment.sponsored.is_some() {
        let detail = "the transaction was handed in for something else";
        Err(Rejection::new(ReasonCode::PaymentAlreadyUsed, detail))
    } else {
        Err(Rejection::of(ReasonCode::IdempotencyKeyReused))
    }
}

/// Once signed it stays so: what is sent a second time are the same bytes.
fn sign(state: &Verification, block_item: String) -> Result<Vec<Event>, Rejection> {
    let Some(sponsored) = &state.payment.sponsored else {
        return Err(Rejection::of(ReasonCode::UnsupportedScheme));
    };
    match &state.outcome {
        Outcome::Failed(rejection) => Err(rejection.clone()),
        Outcome::Pending { transfer: None } if state.block_item.is_none() => {
            let signed = TransactionSigned {
                transaction: state.payment.transaction,
                block_item,
                tenant: state.tenant.clone(),
                fee_max: sponsored.fee_max,
            };
            Ok(vec![signed.into()])
        }
        Outcome::Pending { .. } | Outcome::Confirmed { .. } => Ok(Vec::new()),
    }
}

fn identity_verified(state: &Verification, proven: Proven) -> Vec<Event> {
    if !state.awaits_presentation {
        return Vec::new();
    }
    let mut events = vec![IdentityVerified { proven }.into()];
    if !state.awaits_signature {
        events.extend(confirmed_if_transferred(state));
    }
    events
}

fn binding_verified(state: &Verification) -> Vec<Event> {
    if !state.awaits_signature {
        return Vec::new();
    }
    let mut events = vec![BindingVerified { digest: state.payment.digest }.into()];
    if !state.awaits_presentation {
        events.extend(confirmed_if_transferred(state));
    }
    events
}

fn confirmed_if_transferred(state: &Verification) -> Option<Event> {
    match state.outcome {
        Outcome::Pending { transfer: Some(block) } => Some(confirmed(state, block)),
        _ => None,
    }
}

fn transaction_final(state: &Verification, transaction: &FinalizedTransaction) -> Vec<Event> {
    let is_seen = matches!(state.outcome, Outcome::Pending { transfer: Some(_) });
    if transaction.hash != state.payment.transaction || is_seen {
        return Vec::new();
    }
    // Sent, and so signed, for somebody else: the payer handed the same transaction in elsewhere.
    if state.payment.sponsored.is_some() && state.block_item.is_none() {
        return vec![failed(state, Rejection::of(ReasonCode::PaymentAlreadyUsed))];
    }
    match rules::check(&state.payment, transaction) {
        Err(rejection) => vec![failed(state, rejection)],
        Ok(()) if state.awaits_proofs() => {
            let seen =
                TransferFinalized { transaction: transaction.hash, block: transaction.block };
            vec![seen.into()]
        }
        Ok(()) => vec![confirmed(state, transaction.block)],
    }
}

fn expired(state: &Verification) -> Vec<Event> {
    match state.outcome {
        Outcome::Pending { transfer: None } => {
            let code = match state.payment.sponsored {
                Some(_) => ReasonCode::TransactionExpired,
                None => ReasonCode::TransactionNotFound,
            };
            vec![failed(state, Rejection::of(code))]
        }
        _ => Vec::new(),
    }
}

fn confirmed(state: &Verification, block: BlockRef) -> Event {
    VerificationConfirmed {
        verification: state.id,
        network: state.payment.network.clone(),
        transaction: state.payment.transaction,
        block,
    }
    .into()
}

fn failed(state: &Verification, rejection: Rejection) -> Event {
    VerificationFailed {
        verification: state.id,
        network: state.payment.network.clone(),
        transaction: state.payment.transaction,
        rejection,
    }
    .into()
}

fn must_be_confirmed(state: &Verification) -> Result<(), Rejection> {
    match &state.outcome {
        Outcome::Confirmed { .. } => Ok(()),
        Outcome::Failed(rejection) => Err(rejection.clone()),
        Outcome::Pending { .. } => Err(Rejection::of(ReasonCode::TransactionPending)),
    }
}

fn may_reserve(state: &Verification, now: DateTime<Utc>) -> Result<(), Rejection> {
    must_be_confirmed(state)?;
    let is_held = state.usage.reserved.is_some_and(|reservation| now < reservation.until);
    if state.usage.settled || state.usage.verified || is_held {
        return Err(Rejection::of(ReasonCode::PaymentAlreadyUsed));
    }
    Ok(())
}

fn release(state: &Verification, reservation: ReservationId) -> Result<Vec<Event>, Rejection> {
    match state.usage.reserved {
        Some(held) if held.id == reservation => Ok(vec![PaymentReleased { reservation }.into()]),
        _ if state.usage.released == Some(reservation) => Ok(Vec::new()),
        _ => Err(Rejection::of(ReasonCode::ReservationNotHeld)),
    }
}

/// `/verify` is valid once and `/settle` succeeds once; after a `/settle` nothing is valid.
fn may_consume(state: &Verification, by: Consumer) -> Result<(), Rejection> {
    must_be_confirmed(state)?;
    let usage = &state.usage;
    match by {
        Consumer::Settle if usage.settled => Err(Rejection::of(ReasonCode::DuplicateSettlement)),
        Consumer::Verify if usage.settled || usage.verified => {
            Err(Rejection::of(ReasonCode::PaymentAlreadyUsed))
        }
        // A payment that /settle uses up is reserved by /verify, never consumed by it.
        Consumer::Verify if state.payment.consume_on == ConsumeOn::Settle => {
            Err(Rejection::of(ReasonCode::PaymentAlreadyUsed))
        }
        Consumer::Settle | Consumer::Verify => Ok(()),
    }
}
