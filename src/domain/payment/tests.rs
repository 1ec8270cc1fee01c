//! A row a reason, in the order in which the rules apply.

use serde_json::{Value, json};

use super::*;
use crate::sample::{NETWORK, Request, URL, account, at, challenge, identity, pay_to, payer};

const MAINNET: &str = ccd402_protocol::network::MAINNET;

fn code(request: &Request) -> Option<ReasonCode> {
    request.read(at(60)).err().map(|rejection| rejection.code)
}

fn extra(name: &str, value: Value) -> Request {
    Request::v2().offer(&format!("/extra/{name}"), value)
}

#[test]
fn both_versions_are_read_as_the_same_payment() {
    let (one, two) = (Request::v1().payment(), Request::v2().payment());
    assert_ne!(one.digest, two.digest, "the offers differ, so the digests do");
    assert_eq!(Payment { digest: two.digest, ..one }, two);
    assert_eq!((two.payer, two.pay_to), (payer(), pay_to()));
    assert_eq!(two.network.as_str(), NETWORK);
    assert_eq!((two.amount.units(), &two.asset), (1_500_000, &Asset::Ccd));
    assert_eq!(two.resource, Resource { method: "GET".into(), url: URL.into() });
    assert_eq!(two.window, Window { opens_at: at(0), closes_at: at(300) });
    assert_eq!((two.binding, two.consume_on), (BindingKind::Memo, ConsumeOn::Verify));
    assert!(!two.needs_presentation() && !two.needs_signature());
}

#[test]
fn each_rule_names_its_refusal() {
    use ReasonCode as R;
    let v1 = Request::v1;
    let v2 = Request::v2;
    let rows: Vec<(&str, Request, R)> = vec![
        ("another scheme", v2().offer("/scheme", json!("upto")), R::UnsupportedScheme),
        ("payload's scheme", v1().with("/paymentPayload/scheme", json!("upto")), R::InvalidScheme),
        ("another network", v2().offer("/network", json!(MAINNET)), R::InvalidNetwork),
        ("no network", v2().offer("/network", json!("eip155:1")), R::InvalidNetwork),
        (
            "payload's network",
            v1().with("/paymentPayload/network", json!("concordium")),
            R::InvalidNetwork,
        ),
        (
            "accepted something cheaper",
            v2().with("/paymentPayload/accepted/amount", json!("1")),
            R::InvalidPaymentRequirements,
        ),
        (
            "accepted something else in version 1",
            v1().paid("/binding/accepted", json!({})),
            R::InvalidPaymentRequirements,
        ),
        ("no way of transfer", extra("assetTransferMethod", json!(null)), R::UnsupportedScheme),
        ("another flow", extra("paymentFlow", json!("later")), R::UnsupportedScheme),
        ("odd consumeOn", extra("consumeOn", json!("never")), R::InvalidPaymentRequirements),
        ("payTo", v2().offer("/payTo", json!("nobody")), R::InvalidPaymentRequirements),
        ("asset", v2().offer("/asset", json!("ccd")), R::InvalidPaymentRequirements),
        ("amount 0", v2().offer("/amount", json!("0")), R::InvalidPaymentRequirements),
        ("amount 1.5", v2().offer("/amount", json!("1.5")), R::InvalidPaymentRequirements),
        ("no challenge", extra("challenge", json!(null)), R::InvalidPaymentRequirements),
        ("no gate's challenge", extra("challenge", json!("AAAA")), R::ChallengeNotOurs),
        (
            "another resource",
            v2().with("/paymentPayload/resource/url", json!("https://x")),
            R::PaymentNotBound,
        ),
        (
            "two resources",
            v1().offer("/resource", json!("https://x")),
            R::InvalidPaymentRequirements,
        ),
        (
            "no resource",
            extra("resource", json!(null)).with("/paymentPayload/resource", json!(null)),
            R::InvalidPaymentRequirements,
        ),
        (
            "an empty resource",
            extra("resource", json!("")).with("/paymentPayload/resource", json!(null)),
            R::InvalidPaymentRequirements,
        ),
        (
            "a long resource",
            extra("resource", json!("x".repeat(2_049))),
            R::InvalidPaymentRequirements,
        ),
        (
            "a long resource by the payer alone",
            extra("resource", json!(null))
                .with("/paymentPayload/resource/url", json!("x".repeat(2_049))),
            R::InvalidPaymentRequirements,
        ),
        ("method in small letters", extra("method", json!("get")), R::InvalidPaymentRequirements),
        ("no method", extra("method", json!("")), R::InvalidPaymentRequirements),
        ("long method", extra("method", json!("A".repeat(33))), R::InvalidPaymentRequirements),
        ("sender", v2().paid("/sender", json!("me")), R::InvalidSenderAddress),
        ("hash", v2().paid("/txHash", json!("00")), R::InvalidPayload),
        (
            "presentation missing",
            v2().paid("/binding", json!({ "type": "presentation" })),
            R::PaymentNotBound,
        ),
        (
            "signatures missing",
            v2().paid("/binding", json!({ "type": "signature" })),
            R::PaymentNotBound,
        ),
        (
            "signatures of nobody",
            v2().paid("/binding", json!({ "type": "signature", "signatures": { "0": {} } })),
            R::PaymentNotBound,
        ),
        ("too many signatures", v2().paid("/binding", many_signatures()), R::InvalidPayload),
        ("identity missing", extra("identity", identity()), R::IdentityRequired),
        (
            "identity that asks for nothing",
            extra("identity", json!({ "statement": [] })),
            R::InvalidPaymentRequirements,
        ),
        ("identity too large", extra("identity", large()), R::InvalidPaymentRequirements),
        ("another identity echoed", echoing(&json!([1])), R::IdentityStatementMismatch),
        ("challenge of the future", extra("challenge", challenge(71, 300)), R::ChallengeNotOurs),
        ("open for too long", extra("challenge", challenge(0, 86_401)), R::ChallengeNotOurs),
        ("closed a day ago", extra("challenge", challenge(-90_000, -86_341)), R::ChallengeExpired),
    ];
    for (name, request, expected) in rows {
        assert_eq!(code(&request), Some(expected), "{name}");
    }
}

fn many_signatures() -> Value {
    let keys: serde_json::Map<_, _> = (0..17).map(|key| (key.to_string(), json!("ab"))).collect();
    json!({ "type": "signature", "signatures": { "0": keys } })
}

fn large() -> Value {
    let set: Vec<String> = (0..100).map(|number| format!("{number:0>100}")).collect();
    json!({ "statement": [{ "type": "AttributeInSet", "attributeTag": "idDocNo", "set": set }] })
}

fn echoing(issuers: &Value) -> Request {
    let mut echoed = identity();
    echoed["issuers"] = issuers.clone();
    let extension = json!({ "concordium-identity": { "info": echoed } });
    extra("identity", identity())
        .paid("/presentation", json!({}))
        .with("/paymentPayload/extensions", extension)
}

#[test]
fn the_rules_apply_in_their_order() {
    use ReasonCode as R;
    let mut request = Request::v1()
        .with("/paymentPayload/scheme", json!("upto"))
        .with("/paymentPayload/network", json!("concordium"))
        .paid("/binding/accepted", json!({}))
        .offer("/extra/assetTransferMethod", json!(null))
        .offer("/payTo", json!("nobody"))
        .offer("/extra/challenge", json!(null))
        .offer("/extra/resource", json!("https://x"))
        .offer("/extra/identity", identity())
        .paid("/sender", json!("me"));
    let repairs = [
        (R::InvalidScheme, "/paymentPayload/scheme", json!("exact")),
        (R::InvalidNetwork, "/paymentPayload/network", json!("concordium-testnet")),
        (R::InvalidPaymentRequirements, "/paymentPayload/payload/binding/accepted", json!(null)),
        (
            R::UnsupportedScheme,
            "/paymentRequirements/extra/assetTransferMethod",
            json!("transaction-hash"),
        ),
        (R::InvalidPaymentRequirements, "/paymentRequirements/payTo", json!(pay_to())),
        (
            R::InvalidPaymentRequirements,
            "/paymentRequirements/extra/challenge",
            challenge(-90_000, -86_400),
        ),
        (R::InvalidPaymentRequirements, "/paymentRequirements/extra/resource", json!(URL)),
        (R::InvalidSenderAddress, "/paymentPayload/payload/sender", json!(payer())),
        (R::IdentityRequired, "/paymentPayload/payload/presentation", json!({})),
        (R::ChallengeExpired, "/paymentRequirements/extra/challenge", challenge(0, 300)),
    ];
    for (expected, pointer, value) in repairs {
        assert_eq!(code(&request), Some(expected), "before {pointer} is repaired");
        request = request.with(pointer, value);
    }
    assert_eq!(code(&request), None);
}

#[test]
fn an_identity_requirement_of_either_side_must_be_proven() {
    let by_server = extra("identity", identity()).paid("/presentation", json!({ "proof": 1.0 }));
    let (payment, proofs) = by_server.read(at(60)).unwrap();
    assert!(payment.needs_presentation());
    assert_eq!(proofs.presentation.as_deref(), Some(r#"{"proof":1.0}"#));
    assert_eq!(code(&echoing(&json!([0]))), None);
    let extension = json!({ "concordium-identity": { "info": identity() } });
    let by_payer = Request::v2().with("/paymentPayload/extensions", extension);
    assert_eq!(code(&by_payer), Some(ReasonCode::IdentityRequired));
}

#[test]
fn a_proof_may_be_handed_in_until_the_grace_is_over() {
    let request = Request::v2();
    let grace = 300 + 24 * 3_600;
    assert!(request.read(at(grace)).is_ok());
    let late = request.read(at(grace + 1)).unwrap_err();
    assert_eq!(late.code, ReasonCode::ChallengeExpired);
}

#[test]
fn a_proof_that_is_valid_for_a_time_is_late_after_it() {
    let mut required = identity();
    required["validFor"] = json!(90);
    let request = extra("identity", required).paid("/presentation", json!({}));
    assert!(request.read(at(90)).is_ok());
    assert_eq!(request.read(at(91)).unwrap_err().code, ReasonCode::ChallengeExpired);
}

#[test]
fn endless_validity_ends_with_the_grace() {
    for seconds in [1_u64 << 52, (1 << 53) - 1] {
        let mut required = identity();
        required["validFor"] = json!(seconds);
        let request = extra("identity", required).paid("/presentation", json!({}));
        assert!(request.read(at(60)).is_ok());
    }
    let mut required: IdentityRequirement = serde_json::from_value(identity()).unwrap();
    required.valid_for = Some(i64::MAX.unsigned_abs());
    let window = Window { opens_at: at(0), closes_at: at(300) };
    let policy = crate::sample::policy();
    assert_eq!(in_time(window, Some(&required), &policy, at(60)), Ok(()));
}

#[test]
fn what_the_payer_chooses_besides_the_offer_leaves_the_digest_alone() {
    let base = Request::v2().payment().digest;
    let sent = Request::v2().paid("/sender", json!(account(5))).payment();
    assert_eq!(sent.digest, base);
    assert_ne!(extra("consumeOn", json!("settle")).payment().digest, base);
}

#[test]
fn a_payment_reads_back_from_its_json() {
    let requests = [
        Request::v1(),
        extra("identity", identity()).paid("/presentation", json!({})),
        extra("consumeOn", json!("settle")).offer("/asset", json!("EURR")),
    ];
    for payment in requests.map(|request| request.payment()) {
        let json = serde_json::to_value(&payment).unwrap();
        assert_eq!(serde_json::from_value::<Payment>(json).unwrap(), payment);
    }
}
