//! Requests to `/verify` that pass every rule, and the transactions that pay them.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::challenge::{Challenge, Window};
use ccd402_domain::ids::{BlockHash, TransactionHash};
use ccd402_domain::memo;
use ccd402_domain::payment::{Payment, Policy};
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction, Outcome, Transfer};
use ccd402_protocol::presented::PresentedPayment;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::contract::sample::network;
use crate::ports::chain::FinalizedBlock;

/// So many seconds after all challenges here open; they close at 300.
#[must_use]
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("it lies in the year 2027")
}

/// What a facilitator of these payments allows.
#[must_use]
pub fn policy() -> Policy {
    Policy {
        network: network(),
        presentation_grace: TimeDelta::hours(24),
        clock_skew: TimeDelta::seconds(10),
    }
}

/// A hash by its number.
#[must_use]
pub fn hash(number: u16) -> TransactionHash {
    let mut bytes = [0xee; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    TransactionHash::from_bytes(bytes)
}

/// An account by its number.
#[must_use]
pub fn account(number: u8) -> AccountAddress {
    AccountAddress::from_bytes([number; 32])
}

/// A request for one resource, paid by the transaction of that number, bound by memo.
#[derive(Debug, Clone)]
pub struct Handed {
    payload: Map<String, Value>,
    extra: Map<String, Value>,
}

impl Handed {
    /// One that needs nothing but its transfer.
    #[must_use]
    pub fn by(number: u16) -> Self {
        let payload = json!({
            "txHash": hash(number), "sender": account(1), "binding": { "type": "memo" },
        });
        let extra = json!({
            "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
            "resource": "https://example.com/report",
        });
        Self { payload: object(payload), extra: object(extra) }.for_request(0)
    }

    /// The same transaction for another request: the challenge has another nonce.
    #[must_use]
    pub fn for_request(mut self, nonce: u8) -> Self {
        let window = Window { opens_at: at(0), closes_at: at(300) };
        let challenge = Challenge { nonce: [nonce; 16], window, seal: [0; 32] };
        self.extra.insert("challenge".to_owned(), json!(challenge.to_string()));
        self
    }

    /// Used up by `/settle`, reserved by `/verify`.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.extra.insert("consumeOn".to_owned(), json!("settle"));
        self
    }

    /// With an identity proof that is asked for.
    #[must_use]
    pub fn proven(mut self) -> Self {
        let statement = json!({ "type": "RevealAttribute", "attributeTag": "nationality" });
        self.extra.insert("identity".to_owned(), json!({ "statement": [statement] }));
        self.with("presentation", json!({ "proof": "of identity" }))
    }

    /// Bound by the account's signatures.
    #[must_use]
    pub fn signed(self) -> Self {
        let signatures = json!({ "0": { "0": "ab" } });
        self.with("binding", json!({ "type": "signature", "signatures": signatures }))
    }

    /// With something else in the payload.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.payload.insert(name.to_owned(), value);
        self
    }

    /// The body of `/verify`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let requirements = json!({
            "scheme": "exact", "network": network(), "asset": "CCD", "amount": "1500000",
            "payTo": account(2), "maxTimeoutSeconds": 300, "extra": self.extra,
        });
        let payload = json!({
            "x402Version": 2, "accepted": requirements, "payload": self.payload,
        });
        let body = json!({
            "x402Version": 2, "paymentPayload": payload, "paymentRequirements": requirements,
        });
        body.to_string().into_bytes()
    }

    /// What the facilitator makes of it.
    ///
    /// # Panics
    /// Where a rule refuses it.
    #[must_use]
    pub fn payment(&self) -> Payment {
        let presented = PresentedPayment::decode(&self.body()).expect("the body decodes");
        Payment::read(&presented, &policy(), at(1)).expect("the payment passes every rule").0
    }

    /// The transaction that pays it, in the block of that height.
    #[must_use]
    pub fn transaction(&self, height: u64) -> FinalizedTransaction {
        let payment = self.payment();
        FinalizedTransaction {
            hash: payment.transaction,
            block: block_ref(height),
            sender: Some(payment.payer),
            sponsorship: None,
            outcome: Outcome::Transfer(Transfer {
                to: payment.pay_to,
                asset: payment.asset,
                amount: payment.amount,
                memo: Some(memo::encode(&payment.digest)),
            }),
        }
    }
}

/// The block of a height; a block a second.
#[must_use]
pub fn block_ref(height: u64) -> BlockRef {
    BlockRef { height, hash: block_hash(height), time: at(height.cast_signed() - 100) }
}

fn block_hash(height: u64) -> BlockHash {
    let mut bytes = [0xbb; 32];
    bytes[..8].copy_from_slice(&height.to_be_bytes());
    BlockHash::from_bytes(bytes)
}

/// A finalized block of that height that pays these.
#[must_use]
pub fn block(height: u64, paid: &[&Handed]) -> FinalizedBlock {
    FinalizedBlock {
        block: block_ref(height),
        parent: block_hash(height.wrapping_sub(1)),
        transactions: paid.iter().map(|handed| handed.transaction(height)).collect(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
