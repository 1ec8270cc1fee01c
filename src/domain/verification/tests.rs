//! Given events, when a command, then events or a rejection.

mod decisions;
mod history;
mod sponsored;
mod usage;

use std::sync::Arc;

use ccd402_protocol::code::ReasonCode;
use serde_json::json;
use uuid::Uuid;

use super::command::{Command, Request};
use super::decide::decide;
use super::event::{
    BindingVerified, Consumer, IdentityVerified, PaymentConsumed, PaymentReleased, PaymentReserved,
    Proven, TransactionSigned, TransferFinalized, VerificationConfirmed, VerificationFailed,
    VerificationRequested,
};
use super::state::{Outcome, Verification, evolve};
use crate::event::{AnswerRecorded, Event};
use crate::follower::BlockFollowed;
use crate::ids::{Digest, ReservationId, TransactionHash, VerificationId};
use crate::payment::{ConsumeOn, Payment};
use crate::rejection::Rejection;
use crate::sample::{self, at, block, identity, transaction, transaction_with, units};
use crate::tenant::TenantId;

/// What a payment needs beside its transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Presentation,
    Signature,
    Both,
}

const ALL_NEEDS: [Needs; 4] = [Needs::Nothing, Needs::Presentation, Needs::Signature, Needs::Both];

fn payment(needs: Needs, consume_on: ConsumeOn) -> Payment {
    let request = sample::Request::v2();
    let signature = json!({ "type": "signature", "signatures": { "0": { "0": "ab" } } });
    let request = match needs {
        Needs::Nothing => request,
        Needs::Presentation => {
            request.paid("/presentation", json!({})).offer("/extra/identity", identity())
        }
        Needs::Signature => request.paid("/binding", signature),
        Needs::Both => request
            .paid("/binding", signature)
            .paid("/presentation", json!({}))
            .offer("/extra/identity", identity()),
    };
    Payment { consume_on, ..request.payment() }
}

fn id() -> VerificationId {
    VerificationId(Uuid::from_u128(1))
}

fn reservation(number: u128) -> ReservationId {
    ReservationId(Uuid::from_u128(number))
}

fn request(payment: &Payment) -> Request {
    Request {
        verification: id(),
        tenant: TenantId::default(),
        payment: Arc::new(payment.clone()),
        body: Digest::from_bytes([1; 32]),
        listing: None,
        now: at(60),
    }
}

fn requested(payment: &Payment) -> Event {
    let Request { verification, tenant, payment, body, now, .. } = request(payment);
    let listing = None;
    VerificationRequested { verification, tenant, payment, body, requested_at: now, listing }.into()
}

fn proven() -> Proven {
    Proven {
        presentation: Digest::from_bytes([2; 32]),
        issuer: 3,
        revealed: Some(Digest::from_bytes([4; 32])),
    }
}

fn identity_verified() -> Event {
    IdentityVerified { proven: proven() }.into()
}

fn binding_verified(payment: &Payment) -> Event {
    BindingVerified { digest: payment.digest }.into()
}

fn transferred(payment: &Payment) -> Event {
    TransferFinalized { transaction: payment.transaction, block: block() }.into()
}

fn confirmed(payment: &Payment) -> Event {
    VerificationConfirmed {
        verification: id(),
        network: payment.network.clone(),
        transaction: payment.transaction,
        block: block(),
    }
    .into()
}

fn failed(payment: &Payment, rejection: Rejection) -> Event {
    VerificationFailed {
        verification: id(),
        network: payment.network.clone(),
        transaction: payment.transaction,
        rejection,
    }
    .into()
}

fn reserved(number: u128, until: i64) -> Event {
    PaymentReserved { reservation: reservation(number), until: at(until) }.into()
}

fn released(number: u128) -> Event {
    PaymentReleased { reservation: reservation(number) }.into()
}

fn consumed(by: Consumer) -> Event {
    PaymentConsumed { by }.into()
}

fn reserve(number: u128, now: i64) -> Command {
    Command::Reserve { reservation: reservation(number), now: at(now), until: at(now + 60) }
}

fn release(number: u128) -> Command {
    Command::Release { reservation: reservation(number) }
}

/// Everything that can be asked of a Verification that exists, with its finding, if it is one.
fn commands(payment: &Payment) -> Vec<(&'static str, Command)> {
    vec![
        ("identity", Command::RecordIdentity(proven())),
        ("binding", Command::RecordBinding),
        ("reject", Command::Reject(Rejection::of(ReasonCode::IdentityProofInvalid))),
        ("transaction", Command::RecordTransaction(transaction(payment))),
        ("lose", Command::LoseClaim),
        ("expire", Command::Expire),
        ("reserve", reserve(2, 100)),
        ("release", release(1)),
        ("verify", Command::Consume(Consumer::Verify)),
        ("settle", Command::Consume(Consumer::Settle)),
    ]
}

struct Given(Vec<Event>);

fn given(events: &[Event]) -> Given {
    Given(events.to_vec())
}

impl Given {
    fn when(self, command: Command) -> Result<Vec<Event>, ReasonCode> {
        let state = Verification::fold(&self.0).unwrap();
        decide(state.as_ref(), command).map_err(|rejection| rejection.code)
    }
}
