//! Valid requests, payments and transactions, for tests to spoil one thing of.

use ccd402_protocol::presented::PresentedPayment;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::challenge::{Challenge, Window};
use crate::ids::{BlockHash, TransactionHash};
use crate::memo;
use crate::payment::{Payment, Policy, Proofs};
use crate::rejection::Rejection;
use crate::transaction::{BlockRef, FinalizedTransaction, Outcome, Transfer};

pub(crate) const NETWORK: &str = "ccd:4221332d34e1694168c2a0c0b3fd0f27";
pub(crate) const URL: &str = "https://example.com/report";

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub(crate) fn account(number: u8) -> AccountAddress {
    AccountAddress::from_bytes([number; 32])
}

pub(crate) fn payer() -> AccountAddress {
    account(1)
}

pub(crate) fn pay_to() -> AccountAddress {
    account(2)
}

pub(crate) fn hash() -> TransactionHash {
    TransactionHash::from_bytes([9; 32])
}

pub(crate) fn policy() -> Policy {
    Policy {
        network: NETWORK.parse().unwrap(),
        presentation_grace: TimeDelta::hours(24),
        clock_skew: TimeDelta::seconds(10),
    }
}

/// A challenge that is open between these seconds.
pub(crate) fn challenge(opens: i64, closes: i64) -> Value {
    let window = Window { opens_at: at(opens), closes_at: at(closes) };
    json!(Challenge { nonce: [3; 16], window, seal: [4; 32] }.to_string())
}

/// Sets a value by its JSON pointer; `null` takes it away.
pub(crate) fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
}

/// A request as a resource server sends it. Open from 0 s to 300 s, 1.5 CCD, bound by memo.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    body: Value,
}

impl Request {
    pub(crate) fn v1() -> Self {
        let requirements = json!({
            "scheme": "exact", "network": "concordium-testnet", "maxAmountRequired": "1500000",
            "resource": URL, "description": "", "mimeType": "text/plain",
            "payTo": pay_to(), "maxTimeoutSeconds": 300, "asset": "CCD", "extra": extra(),
        });
        let payload = json!({
            "x402Version": 1, "scheme": "exact", "network": "concordium-testnet",
            "payload": { "txHash": hash(), "sender": payer(), "binding": { "type": "memo" } },
        });
        Self::of(1, &payload, &requirements)
    }

    pub(crate) fn v2() -> Self {
        let requirements = json!({
            "scheme": "exact", "network": NETWORK, "asset": "CCD", "amount": "1500000",
            "payTo": pay_to(), "maxTimeoutSeconds": 300, "extra": extra(),
        });
        let payload = json!({
            "x402Version": 2, "resource": { "url": URL }, "accepted": requirements,
            "payload": { "txHash": hash(), "sender": payer(), "binding": { "type": "memo" } },
        });
        Self::of(2, &payload, &requirements)
    }

    fn of(version: u8, payload: &Value, requirements: &Value) -> Self {
        Self {
            body: json!({
                "x402Version": version,
                "paymentPayload": payload,
                "paymentRequirements": requirements,
            }),
        }
    }

    /// Sets a value by its JSON pointer below the body; `null` takes it away.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.body, pointer, value);
        self
    }

    /// Changes the offer: the one required, and in version 2 the one accepted.
    pub(crate) fn offer(self, pointer: &str, value: Value) -> Self {
        let is_v2 = self.body["x402Version"] == json!(2);
        let changed = self.with(&format!("/paymentRequirements{pointer}"), value.clone());
        if is_v2 {
            changed.with(&format!("/paymentPayload/accepted{pointer}"), value)
        } else {
            changed
        }
    }

    /// Changes what the payer hands in.
    pub(crate) fn paid(self, pointer: &str, value: Value) -> Self {
        self.with(&format!("/paymentPayload/payload{pointer}"), value)
    }

    pub(crate) fn read(&self, now: DateTime<Utc>) -> Result<(Payment, Proofs), Rejection> {
        Payment::read(&self.presented(), &policy(), now)
    }

    pub(crate) fn presented(&self) -> PresentedPayment {
        let body = serde_json::to_vec(&self.body).unwrap();
        PresentedPayment::decode(&body).unwrap()
    }

    pub(crate) fn payment(&self) -> Payment {
        self.read(at(60)).unwrap().0
    }
}

fn extra() -> Value {
    json!({
        "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
        "challenge": challenge(0, 300), "method": "GET", "resource": URL,
    })
}

pub(crate) fn identity() -> Value {
    json!({
        "statement": [{
            "type": "AttributeInRange", "attributeTag": "dob",
            "lower": "18000101", "upper": "20081123",
        }],
        "issuers": [0],
    })
}

pub(crate) fn block() -> BlockRef {
    BlockRef { height: 7, hash: BlockHash::from_bytes([8; 32]), time: at(30) }
}

/// The transaction that pays this payment, by memo too.
pub(crate) fn transaction(payment: &Payment) -> FinalizedTransaction {
    FinalizedTransaction {
        hash: payment.transaction,
        block: block(),
        sender: Some(payment.payer),
        sponsorship: None,
        outcome: Outcome::Transfer(transfer(payment)),
    }
}

pub(crate) fn transfer(payment: &Payment) -> Transfer {
    Transfer {
        to: payment.pay_to,
        asset: payment.asset.clone(),
        amount: payment.amount,
        memo: Some(memo::encode(&payment.digest)),
    }
}

/// A transfer with one thing changed.
pub(crate) fn transaction_with(
    payment: &Payment,
    change: impl FnOnce(&mut Transfer),
) -> FinalizedTransaction {
    let mut transfer = transfer(payment);
    change(&mut transfer);
    FinalizedTransaction { outcome: Outcome::Transfer(transfer), ..transaction(payment) }
}

pub(crate) fn token(id: &str) -> Asset {
    id.parse().unwrap()
}

pub(crate) fn units(units: u64) -> Amount {
    Amount::from_units(units)
}
