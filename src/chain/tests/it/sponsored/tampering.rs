//! What is changed after it was signed is found, by us before the chain has to.

use std::sync::Arc;

use ccd402_app::ports::sponsoring::{Freshness, Sponsoring as _};
use ccd402_chain::{
    sponsored::{Error, Sponsors, is_signed_by_both},
    submit::Submitted,
};
use ccd402_domain::{
    account::AccountAddress,
    sponsored::{energy::Bounds, rules::SenderSignature},
};
use ccd402_protocol::code::ReasonCode;
use ccd402_simchain::{Funds, IdentitySpec};
use concordium_rust_sdk::base::{
    base::Nonce,
    common::{cbor::cbor_encode, to_bytes},
    protocol_level_tokens::{TokenAmount, TokenOperations, operations},
    transactions::BlockItem,
};
use serde_json::{Value, json};

use super::kit::{Order, Stage, read, signable};
use crate::support::port;

/// A transaction with a value set by its pointer, or taken away.
fn with(signed: &Value, pointer: &str, value: Value) -> Value {
    let mut signed = signed.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = signed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    signed
}

async fn code(stage: &Stage, order: &Order, signed: &Value) -> Option<ReasonCode> {
    stage.decide(order, signed).await.err().map(|rejection| rejection.code)
}

#[tokio::test]
async fn each_tampering_is_found_by_the_keys_on_chain() {
    let several = IdentitySpec { keys: 3, threshold: 2, ..IdentitySpec::default() };
    let stage = Stage::of(several).await;
    let stranger = stage.chain.issue(IdentitySpec::default(), Funds::ccd(1)).await.unwrap();
    let sender = stage.account(&stage.payer()).await;
    for asset in ["CCD", "EURR"] {
        let order = stage.order(asset, false);
        let signed = stage.signed(&order).await;
        let built = stage.built(&order, Nonce { nonce: 1 });
        let mut under = signed.clone();
        under["signatures"]["sender"]["0"].as_object_mut().unwrap().remove("1");
        let mut other_payload = signed.clone();
        other_payload["payload"] = match asset {
            "CCD" => json!({
                "type": "transferWithMemo", "toAddress": stage.payee(), "memo": "00",
                "amount": order.units.to_string(),
            }),
            _ => with(&signed["payload"], "/tokenId", json!("eurr")),
        };
        let nonce = signed["header"]["nonce"].as_u64().unwrap();
        let expiry = signed["header"]["expiry"].as_u64().unwrap();
        let rows = [
            ("another's keys", stage.signed_by(&stranger, built)),
            ("under the threshold", under),
            ("other payload", other_payload),
            ("other nonce", with(&signed, "/header/nonce", json!(nonce + 1))),
            ("other expiry", with(&signed, "/header/expiry", json!(expiry - 1))),
            ("other energy", with(&signed, "/header/executionEnergyAmount", json!(500))),
        ];
        assert_eq!(code(&stage, &order, &signed).await, None, "{asset}");
        for (name, tampered) in rows {
            let found = code(&stage, &order, &tampered).await;
            assert_eq!(found, Some(ReasonCode::InvalidSenderSignature), "{asset}: {name}");
            let refused = stage.sponsor.sign(&signable(&tampered), &sender);
            assert_eq!(refused, Err(Error::NotSigned), "{asset}: {name}");
        }
    }
}

#[tokio::test]
async fn who_knew_the_sender_as_it_was_does_not_spare_the_check() {
    let stage = Stage::new().await;
    let chain = Arc::new(port(&stage.chain).await);
    let sponsors = Sponsors::new(chain, vec![stage.sponsor.clone()], Bounds::default());
    let signed = stage.signed(&stage.order("CCD", false)).await;
    let forged =
        with(&signed, "/header/expiry", json!(signed["header"]["expiry"].as_u64().unwrap() - 1));
    let before = sponsors.account(&stage.payer(), Freshness::Now).await.unwrap();
    for holds_for in [None, before.as_ref()] {
        let code = async |signed| {
            let finished = sponsors.sign(&read(signed), holds_for).await.unwrap();
            finished.err().map(|rejection| rejection.code)
        };
        assert_eq!(code(&signed).await, None);
        assert_eq!(code(&forged).await, Some(ReasonCode::InvalidSenderSignature));
    }
}

#[tokio::test]
async fn a_transaction_without_the_sponsors_signature_is_not_complete() {
    let stage = Stage::new().await;
    let signed = stage.signed(&stage.order("CCD", false)).await;
    let finished = stage.sponsored(&signed).await;
    let (sender, sponsor) = (stage.account(&stage.payer()).await, stage.sponsor_account().await);
    assert!(is_signed_by_both(&finished.bytes, &sender, &sponsor));

    let Some(BlockItem::AccountTransactionV1(mut unsigned)) =
        ccd402_chain::codec::block_item(&finished.bytes)
    else {
        panic!("not a sponsored transaction");
    };
    let mut swapped = unsigned.clone();
    unsigned.signatures.sponsor = None;
    swapped.signatures.sponsor = Some(swapped.signatures.sender.clone());
    for incomplete in [unsigned, swapped] {
        let bytes = to_bytes(&BlockItem::AccountTransactionV1(incomplete));
        assert!(!is_signed_by_both(&bytes, &sender, &sponsor));
        let submitted = stage.port.send(&bytes).await.unwrap();
        assert!(matches!(submitted, Submitted::Refused(_)), "{submitted:?}");
    }
    let submitted = stage.port.send(&finished.bytes).await.unwrap();
    assert_eq!(submitted, Submitted::Taken(finished.hash));
}

#[tokio::test]
async fn the_nine_rules_apply_in_their_order_from_the_wire() {
    use ReasonCode as R;
    let stage = Stage::new().await;
    let order = stage.order("EURR", false);
    let good = stage.signed(&order).await;
    let nobody = AccountAddress::from_bytes([9; 32]);
    let token = |to: AccountAddress, units: u64, count: usize| {
        let to = ccd402_chain::codec::sdk_address(&to);
        let transfer = operations::transfer_tokens(to, TokenAmount::from_raw(units, 6));
        let operations = TokenOperations::from_iter(vec![transfer; count]);
        json!(hex::encode(cbor_encode(&operations).unwrap()))
    };
    let us = json!(stage.sponsor.described().address);
    let mut wrong = good.clone();
    wrong["version"] = json!(0);
    wrong["header"] = json!({
        "sender": "me", "nonce": 1, "expiry": 1, "executionEnergyAmount": 1, "numSignatures": 1,
        "sponsor": { "account": nobody, "numSignatures": 1 },
    });
    wrong["signatures"] = json!({ "sender": {} });
    wrong["payload"] = json!({ "type": "tokenUpdate", "tokenId": "DKKR", "operations": "80ff" });
    let expiry = good["header"]["expiry"].as_u64().unwrap();
    let (payee, payer) = (stage.payee(), stage.payer());
    let repairs = [
        (R::InvalidTransactionVersion, "/version", json!(1)),
        (R::InvalidTransactionFormat, "/payload/operations", token(nobody, 1, 2)),
        (R::InvalidSenderAddress, "/header/sender", json!(payer)),
        (R::SponsorMismatch, "/header/sponsor/account", us),
        (R::RecipientMismatch, "/payload/operations", token(payee, 1, 2)),
        (R::AmountMismatch, "/payload/operations", token(payee, order.units, 2)),
        (R::TokenIdMismatch, "/payload/tokenId", json!("EURR")),
        (R::TransactionExpired, "/header/expiry", json!(expiry + 1)),
        (R::ExpiryTooFarInFuture, "/header/expiry", json!(expiry)),
        (R::MissingSenderSignature, "/signatures/sender", good["signatures"]["sender"].clone()),
        (R::EnergyOutOfBounds, "/header/executionEnergyAmount", json!(500)),
    ];
    for (expected, pointer, value) in repairs {
        let found = code(&stage, &order, &wrong).await;
        assert_eq!(found, Some(expected), "before {pointer} is repaired");
        wrong = with(&wrong, pointer, value);
    }
    // Two transfers are still in it, and what was signed was one.
    assert_eq!(code(&stage, &order, &wrong).await, Some(R::InvalidSenderSignature));
    let twice = stage.signed_twice(&order).await;
    let found = code(&stage, &order, &twice).await;
    assert_eq!(found, Some(R::UnexpectedTokenOperationsCount));
    assert_eq!(code(&stage, &order, &good).await, None);
}

#[tokio::test]
async fn an_account_that_does_not_exist_has_signed_nothing() {
    let stage = Stage::new().await;
    let order = stage.order("CCD", false);
    let signed = stage.signed(&order).await;
    let nobody = with(&signed, "/header/sender", json!(AccountAddress::from_bytes([9; 32])));
    assert_eq!(code(&stage, &order, &nobody).await, Some(ReasonCode::InvalidSenderSignature));
    assert_eq!(signable(&nobody).signature(None), SenderSignature::NoAccount);
}
