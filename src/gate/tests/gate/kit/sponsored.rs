//! Sponsored payments: a facilitator that sponsors, offers to choose from, and what pays them.

use std::net::SocketAddr;
use std::sync::Arc;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::challenge::Challenge;
use ccd402_protocol::header;
use reqwest::Response;
use serde_json::{Value, json};

use super::facilitator::Scripted;
use super::{Version, get, present};

/// The facilitator's account that pays fees.
pub(crate) fn sponsor() -> String {
    AccountAddress::from_bytes([3; 32]).to_string()
}

/// A facilitator that sponsors, and says so.
pub(crate) fn sponsoring() -> Arc<Scripted> {
    let facilitator = Scripted::new();
    facilitator.with(|state| state.sponsor = Some(sponsor()));
    facilitator
}

/// All offers of a 402's header.
pub(crate) fn offers(response: &Response) -> Vec<Value> {
    assert_eq!(response.status(), 402);
    let header = response.headers()["payment-required"].as_bytes();
    header::decode::<Value>(header).unwrap()["accepts"].as_array().unwrap().clone()
}

pub(crate) fn is_sponsored(offer: &Value) -> bool {
    offer["extra"].get("feePayer").is_some()
}

/// The first sponsored offer of the path.
pub(crate) async fn sponsored_offer(at: SocketAddr, path: &str) -> Value {
    let offers = offers(&get(at, path).await);
    offers.into_iter().find(is_sponsored).expect("a sponsored offer")
}

/// When the offer ends, in seconds.
pub(crate) fn closes_at(offer: &Value) -> u64 {
    let challenge: Challenge = offer["extra"]["challenge"].as_str().unwrap().parse().unwrap();
    challenge.window.closes_at.timestamp().unsigned_abs()
}

/// `payload` of a payment for the offer; `number` tells payments apart.
pub(crate) fn payload(offer: &Value, number: u8, expiry: u64) -> Value {
    let sender = AccountAddress::from_bytes([8; 32]);
    json!({ "signedTransaction": {
        "version": 1,
        "signatures": { "sender": { "0": { "0": format!("{number:02x}").repeat(64) } } },
        "header": {
            "sender": sender, "nonce": number, "expiry": expiry, "executionEnergyAmount": 300,
            "numSignatures": 1,
            "sponsor": { "account": offer["extra"]["feePayer"], "numSignatures": 1 },
        },
        "payload": {
            "type": "transfer", "toAddress": offer["payTo"], "amount": offer["amount"],
        },
    } })
}

/// A payment header for the offer.
pub(crate) fn sponsored(offer: &Value, number: u8) -> String {
    sponsored_until(offer, number, closes_at(offer))
}

/// The same, expiring at another time.
pub(crate) fn sponsored_until(offer: &Value, number: u8, expiry: u64) -> String {
    let payload = payload(offer, number, expiry);
    header::encode(&json!({ "x402Version": 2, "accepted": offer, "payload": payload })).unwrap()
}

/// Asks, takes the sponsored offer, and comes back with a payment for it.
pub(crate) async fn pay_sponsored(at: SocketAddr, path: &str, number: u8) -> Response {
    let offer = sponsored_offer(at, path).await;
    present(Version::V2, at, path, &sponsored(&offer, number)).await
}
