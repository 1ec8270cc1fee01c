//! Values that examples share. They have the right form and name nobody.

use ccd402_domain::account::AccountAddress;
use serde_json::{Value, json};

pub(super) const ID: &str = "019aa9f2-53f8-7c3a-8d43-1d2f0c4b9e11";
pub(super) const TRANSACTION: &str =
    "b9d1a4a1a6a0e9e7b3ecf5c3c1dfb5a8f40a1c6b1b0f4e9a3f2b7c8d9e0f1a2b";
pub(super) const NETWORK: &str = "ccd:4221332d34e1694168c2a0c0b3fd0f27";
pub(super) const TIME: &str = "2026-11-22T10:00:00Z";

pub(super) fn payer() -> String {
    AccountAddress::from_bytes([7; 32]).to_string()
}

pub(super) fn pay_to() -> String {
    AccountAddress::from_bytes([8; 32]).to_string()
}

/// A request with a payment by transaction hash.
pub(super) fn request() -> Value {
    let requirements = json!({
        "scheme": "exact", "network": NETWORK, "amount": "500000", "asset": "CCD",
        "payTo": pay_to(), "maxTimeoutSeconds": 300,
        "extra": {
            "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
            "challenge": "…as the 402 said it…",
        },
    });
    json!({
        "x402Version": 2,
        "paymentPayload": {
            "x402Version": 2, "accepted": requirements,
            "resource": { "url": "https://example.com/report" },
            "payload": { "txHash": TRANSACTION, "sender": payer(), "binding": { "type": "memo" } },
        },
        "paymentRequirements": requirements,
    })
}
