//! Bodies of `/verify` as the specification shows them, and as nobody should send them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::payload::BindingKind;

const HASH: &str = "aa00000000000000000000000000000000000000000000000000000000000011";

const V1: &str = r#"{
  "x402Version": 1,
  "paymentPayload": {
    "x402Version": 1, "scheme": "exact", "network": "concordium-testnet",
    "payload": {
      "txHash": "aa00000000000000000000000000000000000000000000000000000000000011",
      "sender": "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G",
      "binding": { "type": "memo" }
    }
  },
  "paymentRequirements": {
    "scheme": "exact", "network": "concordium-testnet", "maxAmountRequired": "1500000",
    "resource": "https://example.com/report", "description": "A report",
    "mimeType": "application/json", "outputSchema": null,
    "payTo": "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G",
    "maxTimeoutSeconds": 60, "asset": "CCD",
    "extra": { "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
               "challenge": "AAAA", "consumeOn": "settle" }
  }
}"#;

const V2: &str = r#"{
  "x402Version": 2,
  "paymentPayload": {
    "x402Version": 2,
    "resource": { "url": "https://example.com/report", "mimeType": "application/json" },
    "accepted": {
      "scheme": "exact", "network": "ccd:4221332d34e1694168c2a0c0b3fd0f27", "asset": "EURR",
      "amount": "10000", "payTo": "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G",
      "maxTimeoutSeconds": 60, "extra": { "assetTransferMethod": "transaction-hash" }
    },
    "payload": {
      "txHash": "aa00000000000000000000000000000000000000000000000000000000000011",
      "sender": "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G",
      "binding": { "type": "signature", "signatures": { "0": { "0": "ab", "1": "cd" } } },
      "presentation": { "type": "VerifiablePresentation", "big": 18446744073709551616 }
    },
    "extensions": {
      "concordium-identity": { "info": { "statement": [
        { "type": "AttributeInRange", "attributeTag": "dob", "lower": "18000101", "upper": "20081123" },
        { "type": "AttributeNotInSet", "attributeTag": "nationality", "set": ["KP"] }
      ], "issuers": [0, 1], "validFor": 600 } },
      "another": { "info": {} }
    }
  },
  "paymentRequirements": {
    "scheme": "exact", "network": "ccd:4221332d34e1694168c2a0c0b3fd0f27", "asset": "EURR",
    "amount": "10000", "payTo": "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G",
    "maxTimeoutSeconds": 60, "extra": { "assetTransferMethod": "transaction-hash" }
  }
}"#;

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The example with the value at `pointer` replaced; `null` takes it away.
fn with(text: &str, pointer: &str, value: Value) -> Vec<u8> {
    let mut body = body(text);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    serde_json::to_vec(&body).unwrap()
}

fn refusal(body: &[u8]) -> Refused {
    match PresentedPayment::decode(body) {
        Err(DecodeError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn version_1_is_read() {
    let presented = PresentedPayment::decode(V1.as_bytes()).unwrap();
    let fields = presented.requirements.fields();
    assert_eq!(presented.version, X402Version::V1);
    assert_eq!((fields.amount.as_str(), fields.asset.as_str()), ("1500000", "CCD"));
    assert_eq!(fields.resource.as_deref(), Some("https://example.com/report"));
    assert_eq!(fields.extra.consume_on.as_deref(), Some("settle"));
    assert_eq!(presented.network, "concordium-testnet");
    assert_eq!(presented.payload.tx_hash, HASH);
    assert_eq!(presented.payload.binding.kind, BindingKind::Memo);
    assert_eq!(presented.accepted, None);
    assert_eq!(presented.requirements.raw(), &body(V1)["paymentRequirements"]);
}

#[test]
fn version_2_is_read() {
    let presented = PresentedPayment::decode(V2.as_bytes()).unwrap();
    assert_eq!(presented.version, X402Version::V2);
    assert_eq!(presented.requirements.fields().amount, "10000");
    assert_eq!(presented.resource.as_deref(), Some("https://example.com/report"));
    assert_eq!(presented.accepted.as_ref(), Some(presented.requirements.raw()));
    let signatures = presented.payload.binding.signatures.unwrap();
    assert_eq!(signatures[&0][&1], "cd");
    let identity = presented.identity_extension.unwrap();
    assert_eq!((identity.statement.len(), identity.valid_for), (2, Some(600)));
}

#[test]
fn numbers_of_a_presentation_keep_their_digits() {
    let presented = PresentedPayment::decode(V2.as_bytes()).unwrap();
    let presentation = presented.payload.presentation.unwrap().to_string();
    assert!(presentation.contains("18446744073709551616"), "{presentation}");
}

#[test]
fn what_is_no_verify_request_is_malformed() {
    let numberless = with(V1, "/x402Version", json!("1"));
    let cases: [&[u8]; 7] =
        [b"", b"{", b"null", b"[]", b"{}", b"{\"x402Version\":1}", numberless.as_slice()];
    for case in cases {
        let decoded = PresentedPayment::decode(case);
        assert!(matches!(decoded, Err(DecodeError::Malformed(_))), "{case:?}: {decoded:?}");
    }
    let listed = with(V1, "/paymentPayload", json!([]));
    assert!(matches!(PresentedPayment::decode(&listed), Err(DecodeError::Malformed(_))));
}

#[test]
fn unknown_and_mixed_versions_are_refused() {
    for number in [0, 3, u64::MAX] {
        let refused = refusal(&with(V2, "/x402Version", json!(number)));
        assert_eq!(refused.code, ReasonCode::InvalidX402Version, "{number}");
    }
    let mixed = with(V1, "/paymentPayload/x402Version", json!(2));
    assert_eq!(refusal(&mixed).code, ReasonCode::InvalidX402Version);
}

#[test]
fn each_wrong_field_is_refused_by_the_code_of_its_part() {
    use ReasonCode::{InvalidPayload, InvalidPaymentRequirements, UnsupportedScheme};
    let requirements = "/paymentRequirements";
    let payload = "/paymentPayload/payload";
    let rows: Vec<(&str, String, Value, ReasonCode)> = vec![
        (V1, format!("{requirements}/maxAmountRequired"), json!(null), InvalidPaymentRequirements),
        (V1, format!("{requirements}/maxAmountRequired"), json!(1), InvalidPaymentRequirements),
        (V1, format!("{requirements}/resource"), json!(null), InvalidPaymentRequirements),
        (V1, format!("{requirements}/maxTimeoutSeconds"), json!("60"), InvalidPaymentRequirements),
        (V1, format!("{requirements}/maxTimeoutSeconds"), json!(-1), InvalidPaymentRequirements),
        (V2, format!("{requirements}/amount"), json!(null), InvalidPaymentRequirements),
        (V2, format!("{requirements}/payTo"), json!({}), InvalidPaymentRequirements),
        (V2, format!("{requirements}/extra"), json!("none"), InvalidPaymentRequirements),
        (V2, "/paymentPayload/accepted/amount".into(), json!(null), InvalidPaymentRequirements),
        (
            V2,
            format!("{requirements}/extra/assetTransferMethod"),
            json!("other"),
            UnsupportedScheme,
        ),
        (V1, format!("{payload}/txHash"), json!(null), InvalidPayload),
        (V1, format!("{payload}/txHash"), json!(7), InvalidPayload),
        (V1, format!("{payload}/surprise"), json!(7), InvalidPayload),
        (V1, format!("{payload}/binding"), json!(null), InvalidPayload),
        (V1, format!("{payload}/binding/type"), json!("trust"), InvalidPayload),
        (V2, format!("{payload}/binding/signatures"), json!({ "x": {} }), InvalidPayload),
        (V2, format!("{payload}/binding/signatures"), json!({ "256": {} }), InvalidPayload),
        (V2, "/paymentPayload/accepted".into(), json!(null), InvalidPayload),
        (V2, "/paymentPayload/resource".into(), json!("https://x"), InvalidPayload),
        (V2, "/paymentPayload/extensions/concordium-identity".into(), json!({}), InvalidPayload),
        (
            V2,
            "/paymentPayload/extensions/concordium-identity/info/statement".into(),
            json!([{ "type": "AttributeEquals", "attributeTag": "dob" }]),
            InvalidPayload,
        ),
    ];
    for (example, pointer, value, code) in rows {
        let refused = refusal(&with(example, &pointer, value.clone()));
        assert_eq!(refused.code, code, "{pointer} = {value}: {refused}");
    }
}

#[test]
fn explanations_never_quote_what_was_sent() {
    let secret = "s3cret\", expected nothing";
    let rows = [
        (V1, "/paymentPayload/payload/binding/type"),
        (V1, "/paymentPayload/payload/binding"),
        (V1, "/paymentRequirements/maxTimeoutSeconds"),
        (V2, "/paymentPayload/payload/binding/signatures"),
        (V2, "/paymentPayload"),
    ];
    for (example, pointer) in rows {
        let error = PresentedPayment::decode(&with(example, pointer, json!(secret))).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{pointer}: {error}");
    }
}

#[test]
fn numbers_that_readers_of_json_disagree_on_are_refused() {
    for number in
        ["1e400", "-1e400", "9007199254740992", "9007199254740993", "18446744073709551616"]
    {
        let at = r#""maxTimeoutSeconds": 60, "asset""#;
        let changed = V1.replace(at, &format!(r#""odd": [{{"n": {number}}}], {at}"#));
        let refused = refusal(changed.as_bytes());
        assert_eq!(refused.code, ReasonCode::InvalidPaymentRequirements, "{number}");
    }
}

/// JSON of any shape, with the names that the decoder looks for.
fn hostile_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("transaction-hash")),
    ];
    let name = prop_oneof![
        Just("extra".to_owned()),
        Just("payload".to_owned()),
        Just("accepted".to_owned()),
        Just("binding".to_owned()),
        Just("type".to_owned()),
        Just("statement".to_owned()),
        Just("$serde_json::private::Number".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        for (name, inner) in fields {
            let here = format!("{at}/{name}");
            pointers(inner, &here, found);
            found.push(here);
        }
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = PresentedPayment::decode(&bytes);
    }

    #[test]
    fn a_field_replaced_by_anything_never_panics(
        is_v1: bool, place in any::<prop::sample::Index>(), value in hostile_json(),
    ) {
        let example = if is_v1 { V1 } else { V2 };
        let mut found = Vec::new();
        pointers(&body(example), "", &mut found);
        let _ = PresentedPayment::decode(&with(example, place.get(found.as_slice()).as_str(), value));
    }

    #[test]
    fn a_cut_body_is_never_taken(at in 0..V2.len()) {
        let decoded = PresentedPayment::decode(V2.as_bytes().get(..at).unwrap_or_default());
        prop_assert!(matches!(decoded, Err(DecodeError::Malformed(_))));
    }
}
