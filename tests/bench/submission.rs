//! A submission as a client makes it, to be sent again and again with other transaction hashes.

use ccd402::devnet::Devnet;
use ccd402::devnet::shop::ARTICLE;
use ccd402_simchain::{Funds, IdentitySpec};
use serde_json::json;

/// The body of a submission, and the transaction hash in it.
pub(crate) async fn submission(net: &Devnet) -> (String, String) {
    let payer = net.hand(IdentitySpec::default(), Funds::ccd(1)).await.expect("an account");
    let url = format!("{}{ARTICLE}", net.gate_url());
    let offer = payer.offer(&url).await.expect("an offer");
    let hash = "f".repeat(64);
    let payload = offer.payload(hash.parse().expect("64 digits"), payer.wallet().address(), None);
    let body = json!({
        "x402Version": 1, "paymentPayload": payload, "paymentRequirements": offer.raw,
    });
    (body.to_string(), hash)
}
