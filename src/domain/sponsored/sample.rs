//! A valid sponsored payment, for tests to spoil one thing of.

use ccd402_protocol::presented::{Presented, PresentedSponsored};
use serde_json::{Value, json};

use crate::account::AccountAddress;
use crate::asset::Asset;
use crate::ids::Digest;
use crate::rejection::Rejection;
use crate::sample::{NETWORK, URL, account, at, pay_to, payer, set, units};
use crate::sponsored::energy::{Bounds, Energy};
use crate::sponsored::offer::{Offer, Policy, Sponsor};
use crate::sponsored::payment::SponsoredPayment;
use crate::sponsored::rules::{Case, SenderSignature};
use crate::sponsored::transaction::{Operation, Transaction, Transfer};

/// The account of ours that the offer names.
pub(crate) fn fee_payer() -> AccountAddress {
    account(3)
}

/// Another account of ours.
pub(crate) fn other_sponsor() -> AccountAddress {
    account(4)
}

pub(crate) fn policy() -> Policy {
    let sponsor = |address| Sponsor { address, signatures: 1 };
    Policy {
        network: NETWORK.parse().unwrap(),
        sponsors: vec![sponsor(other_sponsor()), sponsor(fee_payer())],
        bounds: Bounds::default(),
    }
}

/// 1.5 CCD for a report, signed at 0 s to expire at 55 s.
pub(crate) fn transaction() -> Transaction {
    let transfer = Transfer { to: pay_to(), amount: units(1_500_000), decimals: None, memo: None };
    Transaction {
        sender: payer(),
        sequence_number: 42,
        expires_at_s: at(55).timestamp().unsigned_abs(),
        sponsor: fee_payer(),
        energy: Energy {
            execution: 300,
            sender_signatures: 1,
            sponsor_signatures: 1,
            payload_bytes: 41,
        },
        signatures: 1,
        asset: Asset::Ccd,
        operations: vec![Operation::Transfer(transfer)],
        digest: Digest::from_bytes([7; 32]),
    }
}

/// The same in euros of six decimals.
pub(crate) fn token_transaction() -> Transaction {
    let mut transaction = transaction();
    transaction.asset = "EURR".parse().unwrap();
    transaction.energy.execution = 400;
    transaction.energy.payload_bytes = 95;
    only(&mut transaction).decimals = Some(6);
    transaction
}

/// The transfer that the samples hold.
pub(crate) fn only(transaction: &mut Transaction) -> &mut Transfer {
    match &mut transaction.operations[..] {
        [Operation::Transfer(transfer)] => transfer,
        other => panic!("not one transfer: {other:?}"),
    }
}

pub(crate) fn offer() -> Offer {
    Request::v2().offer().unwrap()
}

pub(crate) fn payment() -> SponsoredPayment {
    let (offer, transaction, policy) = (offer(), transaction(), policy());
    let case = Case { offer: &offer, transaction: &transaction, policy: &policy, now: at(0) };
    case.decide(SenderSignature::Holds).unwrap()
}

/// A request as a resource server sends it; its payload is nothing that could be read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    body: Value,
}

impl Request {
    pub(crate) fn v1() -> Self {
        let requirements = json!({
            "scheme": "exact", "network": "concordium-testnet", "maxAmountRequired": "1500000",
            "resource": URL, "description": "", "mimeType": "text/plain",
            "payTo": pay_to(), "maxTimeoutSeconds": 60, "asset": "CCD",
            "extra": { "feePayer": fee_payer() },
        });
        let payload = json!({
            "x402Version": 1, "scheme": "exact", "network": "concordium-testnet", "payload": {},
        });
        let body = json!({
            "x402Version": 1, "paymentPayload": payload, "paymentRequirements": requirements,
        });
        Self { body }
    }

    pub(crate) fn v2() -> Self {
        let requirements = json!({
            "scheme": "exact", "network": NETWORK, "asset": "CCD", "amount": "1500000",
            "payTo": pay_to(), "maxTimeoutSeconds": 60, "extra": { "feePayer": fee_payer() },
        });
        let payload = json!({
            "x402Version": 2, "resource": { "url": URL }, "accepted": requirements, "payload": {},
        });
        let body = json!({
            "x402Version": 2, "paymentPayload": payload, "paymentRequirements": requirements,
        });
        Self { body }
    }

    /// Sets a value by its JSON pointer below the body; `null` takes it away.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.body, pointer, value);
        self
    }

    /// Changes the offer of version 2: the one required and the one accepted.
    pub(crate) fn ask(self, pointer: &str, value: Value) -> Self {
        self.with(&format!("/paymentRequirements{pointer}"), value.clone())
            .with(&format!("/paymentPayload/accepted{pointer}"), value)
    }

    pub(crate) fn offer(&self) -> Result<Offer, Rejection> {
        Offer::read(&self.presented(), &policy().network)
    }

    fn presented(&self) -> PresentedSponsored {
        match Presented::decode(self.body.to_string().as_bytes()).unwrap() {
            Presented::Sponsored(presented) => presented,
            Presented::TransactionHash(presented) => panic!("{presented:?}"),
        }
    }
}
