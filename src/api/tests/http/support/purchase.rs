//! What a payer hands in, and the transfer on chain that it says it made.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::{self, Resource};
use ccd402_domain::challenge::{Challenge, Window};
use ccd402_domain::ids::{BlockHash, TransactionHash};
use ccd402_domain::memo;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction, Outcome, Transfer};
use ccd402_protocol::bazaar::{self, BAZAAR};
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::version::X402Version;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::beginning;

pub(crate) const URL: &str = "https://example.com/report";

/// One purchase; the number makes its hash and its challenge.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    pub(crate) number: u8,
    pub(crate) version: X402Version,
    pub(crate) consume_on: &'static str,
    pub(crate) amount_paid: u64,
    /// Whether the seller wants it to be found.
    pub(crate) is_discoverable: bool,
}

impl Purchase {
    pub(crate) fn new(number: u8) -> Self {
        let version = X402Version::V2;
        Self {
            number,
            version,
            consume_on: "verify",
            amount_paid: 1_000_000,
            is_discoverable: false,
        }
    }

    pub(crate) fn v1(self) -> Self {
        Self { version: X402Version::V1, ..self }
    }

    pub(crate) fn consumed_on_settle(self) -> Self {
        Self { consume_on: "settle", ..self }
    }

    pub(crate) fn paying(self, amount_paid: u64) -> Self {
        Self { amount_paid, ..self }
    }

    pub(crate) fn discoverable(self) -> Self {
        Self { is_discoverable: true, ..self }
    }

    pub(crate) fn payer() -> AccountAddress {
        AccountAddress::from_bytes([7; 32])
    }

    pub(crate) fn pay_to() -> AccountAddress {
        AccountAddress::from_bytes([9; 32])
    }

    pub(crate) fn network() -> NetworkId {
        NetworkId::of_genesis(&[0x5c; 32])
    }

    pub(crate) fn hash(&self) -> TransactionHash {
        TransactionHash::from_bytes([self.number; 32])
    }

    /// The offer that was accepted.
    pub(crate) fn requirements(&self) -> Value {
        let window = Window { opens_at: beginning(), closes_at: beginning() + TimeDelta::hours(1) };
        let challenge = Challenge { nonce: [self.number; 16], window, seal: [0; 32] };
        let extra = json!({
            "assetTransferMethod": "transaction-hash",
            "paymentFlow": "upfront",
            "challenge": challenge.to_string(),
            "consumeOn": self.consume_on,
        });
        let mut offer = json!({
            "scheme": "exact",
            "network": Self::network(),
            "asset": "CCD",
            "payTo": Self::pay_to(),
            "maxTimeoutSeconds": 3_600,
            "extra": extra,
        });
        match self.version {
            X402Version::V1 => {
                offer["maxAmountRequired"] = "1000000".into();
                offer["resource"] = URL.into();
                offer["description"] = "a report".into();
                offer["mimeType"] = "application/json".into();
            }
            X402Version::V2 => offer["amount"] = "1000000".into(),
        }
        match self.version {
            X402Version::V1 if self.is_discoverable => {
                offer["outputSchema"] = bazaar::output_schema("GET");
            }
            X402Version::V2 if self.is_discoverable => offer["extra"]["resource"] = URL.into(),
            _ => {}
        }
        offer
    }

    /// The body of `/verify`, `/settle` and `/v1/verifications`.
    pub(crate) fn request(&self) -> Value {
        let requirements = self.requirements();
        let payload = json!({
            "txHash": self.hash(),
            "sender": Self::payer(),
            "binding": { "type": "memo" },
        });
        let mut payment_payload = match self.version {
            X402Version::V1 => json!({
                "x402Version": 1, "scheme": "exact", "network": Self::network(), "payload": payload,
            }),
            X402Version::V2 => json!({
                "x402Version": 2, "resource": { "url": URL }, "accepted": requirements,
                "payload": payload,
            }),
        };
        if self.is_discoverable && self.version == X402Version::V2 {
            let extension = bazaar::extension("GET", Some("application/json"));
            payment_payload["extensions"] = json!({ BAZAAR: extension });
        }
        json!({
            "x402Version": self.version,
            "paymentPayload": payment_payload,
            "paymentRequirements": requirements,
        })
    }

    /// The transfer in a finalized block.
    pub(crate) fn transaction(&self) -> FinalizedTransaction {
        let resource = Resource { method: "GET".into(), url: URL.into() };
        let digest = binding::digest(&resource, &self.requirements());
        FinalizedTransaction {
            hash: self.hash(),
            block: BlockRef {
                height: 100 + u64::from(self.number),
                hash: BlockHash::from_bytes([self.number; 32]),
                time: beginning() + TimeDelta::seconds(30),
            },
            sender: Some(Self::payer()),
            sponsorship: None,
            outcome: Outcome::Transfer(Transfer {
                to: Self::pay_to(),
                asset: Asset::Ccd,
                amount: Amount::from_units(self.amount_paid),
                memo: Some(memo::encode(&digest)),
            }),
        }
    }
}
