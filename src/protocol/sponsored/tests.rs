//! Signed transactions as SDKs write them, as the specification shows them, and as nobody should
//! send them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::presented::{DecodeError, Presented, PresentedPayment, PresentedSponsored};

/// What the TypeScript SDK writes; `npm run golden` in its folder makes it anew.
const GOLDEN: &str = include_str!("../../../tests/conformance/websdk/sponsored.golden.json");

fn golden() -> Vec<Value> {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    golden["examples"].as_array().unwrap().iter().map(|one| one["payload"].clone()).collect()
}

/// The first golden payload with a value set by its pointer below the transaction, or taken away.
fn with(pointer: &str, value: Value) -> Value {
    changed(golden().remove(0), pointer, value)
}

fn changed(mut payload: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = payload["signedTransaction"].pointer_mut(parent).unwrap();
    let parent = parent.as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    payload
}

fn read(payload: &Value) -> SignedTransaction {
    SignedTransaction::decode(payload).unwrap()
}

fn refusal(payload: &Value) -> ReasonCode {
    SignedTransaction::decode(payload).unwrap_err().code
}

#[test]
fn what_the_sdk_writes_is_read_and_written_the_same() {
    let golden = golden();
    assert_eq!(golden.len(), 5);
    for payload in golden {
        let transaction = read(&payload);
        assert_eq!(serde_json::to_value(&transaction).unwrap(), payload["signedTransaction"]);
    }
}

#[test]
fn every_kind_of_payload_is_read() {
    let kinds: Vec<_> = golden().iter().map(|payload| read(payload).payload).collect();
    let TransactionPayload::Transfer { amount, .. } = &kinds[0] else { panic!("{kinds:?}") };
    assert_eq!(*amount, 1_000_000);
    let TransactionPayload::TransferWithMemo { memo, .. } = &kinds[1] else { panic!("{kinds:?}") };
    assert_eq!(memo, "0003420102");
    let TransactionPayload::TokenUpdate { token_id, .. } = &kinds[2] else { panic!("{kinds:?}") };
    assert_eq!(token_id, "EURR");
    let signed_by_three = read(&golden()[4]);
    assert_eq!(signed_by_three.header.num_signatures, 3);
    assert_eq!(signed_by_three.signatures.sender[&0].len(), 2);
    assert_eq!(signed_by_three.signatures.sender[&1].len(), 1);
}

#[test]
fn other_spellings_are_the_same_transaction() {
    let plain = read(&golden().remove(0));
    let account = plain.header.sponsor.account.clone();
    let by_address = json!({ "address": account, "numSignatures": 1 });
    let by_both = json!({ "address": account, "account": account, "numSignatures": 1 });
    let spellings = [
        with("/header/sponsor", by_address),
        with("/header/sponsor", by_both),
        with("/signatures/sponsor", json!({})),
        with("/signatures/sponsor", json!({ "0": {} })),
        with("/header/nonce", json!("42")),
        with("/header/expiry", json!("1800000000")),
        with("/header/numSignatures", json!(null)),
        with("/payload/amount", json!(1_000_000)),
        with("/header/unknown", json!(true)),
    ];
    for spelling in spellings {
        assert_eq!(read(&spelling), plain, "{spelling}");
    }
    let silent = read(&with("/header/executionEnergyAmount", json!(null)));
    assert_eq!(silent.header.execution_energy_amount, None);
    assert_eq!(plain.header.execution_energy_amount, Some(300));
}

#[test]
fn another_version_and_another_form_have_codes_of_their_own() {
    for version in [json!(0), json!(2)] {
        let payload = with("/version", version);
        assert_eq!(refusal(&payload), ReasonCode::InvalidTransactionVersion);
    }
    let rows = [
        json!({}),
        json!(null),
        json!({ "txHash": "00" }),
        json!({ "signedTransaction": "text" }),
        with("/version", json!(null)),
        with("/version", json!("1")),
        with("/signatures", json!(null)),
        with("/signatures/sender", json!(null)),
        with("/signatures/sender", json!({ "256": {} })),
        with("/signatures/sponsor", json!({ "0": { "0": "ab" } })),
        with("/header", json!(null)),
        with("/header/sender", json!(null)),
        with("/header/nonce", json!(-1)),
        with("/header/nonce", json!("+1")),
        with("/header/nonce", json!("18446744073709551616")),
        with("/header/expiry", json!(null)),
        with("/header/expiry", json!(1.5)),
        with("/header/executionEnergyAmount", json!("")),
        with("/header/sponsor", json!(null)),
        with("/header/sponsor", json!({ "numSignatures": 1 })),
        with("/header/sponsor", json!({ "account": "a", "address": "b", "numSignatures": 1 })),
        with("/header/sponsor", json!({ "account": "a" })),
        with("/payload", json!(null)),
        with("/payload/type", json!("registerData")),
        with("/payload/toAddress", json!(null)),
        with("/payload/amount", json!("1e6")),
        with("/payload/amount", json!(null)),
        with("/payload/type", json!("transferWithMemo")),
        with("/payload/type", json!("tokenUpdate")),
        changed(golden().remove(2), "/payload/operations", json!(null)),
    ];
    for row in rows {
        assert_eq!(refusal(&row), ReasonCode::InvalidTransactionFormat, "{row}");
    }
}

#[test]
fn a_refusal_quotes_nothing_of_the_payload() {
    let secret = with("/header/nonce", json!("SECRET"));
    let refused = SignedTransaction::decode(&secret).unwrap_err();
    assert!(!refused.detail.contains("SECRET"), "{refused}");
}

/// A request of version 2 whose offer has this `extra`.
fn request(extra: &Value, payload: &Value) -> Result<Presented, DecodeError> {
    let offer = json!({
        "scheme": "exact", "network": "ccd:4221332d34e1694168c2a0c0b3fd0f27", "asset": "CCD",
        "amount": "1000000", "payTo": "somebody", "maxTimeoutSeconds": 60, "extra": extra,
    });
    let body = json!({
        "x402Version": 2, "paymentRequirements": offer,
        "paymentPayload": { "x402Version": 2, "accepted": offer, "payload": payload },
    });
    Presented::decode(body.to_string().as_bytes())
}

fn sponsored(extra: &Value, payload: &Value) -> PresentedSponsored {
    match request(extra, payload) {
        Ok(Presented::Sponsored(presented)) => presented,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_offer_says_which_way_it_is_paid() {
    let signed = golden().remove(0);
    let presented = sponsored(&json!({ "feePayer": "us" }), &signed);
    assert_eq!(presented.requirements.fields().extra.fee_payer.as_deref(), Some("us"));
    assert_eq!(presented.payload, Ok(read(&signed)));
    let by_hash = json!({
        "txHash": "aa", "sender": "somebody", "binding": { "type": "memo" },
    });
    let extra = json!({ "assetTransferMethod": "transaction-hash" });
    let Ok(Presented::TransactionHash(presented)) = request(&extra, &by_hash) else {
        panic!("not by hash");
    };
    assert_eq!(presented.payload.tx_hash, "aa");
    let refused = request(&json!({ "assetTransferMethod": "cheque" }), &signed);
    let Err(DecodeError::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.code, ReasonCode::UnsupportedScheme);
}

#[test]
fn a_transaction_that_cannot_be_read_is_kept_as_its_refusal() {
    let presented = sponsored(&json!({}), &json!({ "txHash": "aa" }));
    let code = presented.payload.map_err(|refused| refused.code);
    assert_eq!(code, Err(ReasonCode::InvalidTransactionFormat));
    assert_eq!(presented.scheme, "exact");
}

#[test]
fn version_1_of_x402_carries_it_too() {
    let offer = json!({
        "scheme": "exact", "network": "concordium-testnet", "maxAmountRequired": "1000000",
        "resource": "https://example.com", "payTo": "somebody", "maxTimeoutSeconds": 60,
        "asset": "CCD", "extra": { "feePayer": "us" },
    });
    let payload = json!({
        "x402Version": 1, "scheme": "exact", "network": "concordium-testnet",
        "payload": golden().remove(0),
    });
    let body = json!({
        "x402Version": 1, "paymentRequirements": offer, "paymentPayload": payload,
    });
    let Ok(Presented::Sponsored(presented)) = Presented::decode(body.to_string().as_bytes()) else {
        panic!("not sponsored");
    };
    assert!(presented.payload.is_ok());
    // By hash only, as callers that know no other way read it.
    assert!(PresentedPayment::decode(body.to_string().as_bytes()).is_err());
}

/// Values that the fields of a transaction have in other places, or nowhere.
fn odd_values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!({})),
        Just(json!([1, {}])),
        Just(json!({ "0": { "0": "ab" } })),
        Just(json!({ "$serde_json::private::Number": "1" })),
    ]
}

proptest! {
    #[test]
    fn a_field_replaced_by_anything_never_panics(
        example in 0..5_usize, place in any::<prop::sample::Index>(), value in odd_values(),
    ) {
        let places = [
            "/version", "/signatures", "/signatures/sender", "/signatures/sponsor", "/header",
            "/header/sender", "/header/nonce", "/header/expiry", "/header/sponsor",
            "/header/executionEnergyAmount", "/header/numSignatures", "/header/sponsor/account",
            "/payload", "/payload/type", "/payload/toAddress", "/payload/amount", "/payload/memo",
            "/payload/tokenId", "/payload/operations",
        ];
        let place = places[place.index(places.len())];
        let _ = SignedTransaction::decode(&changed(golden().remove(example), place, value));
    }
}
