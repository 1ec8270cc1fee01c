//! Payments that succeed, at once or after a while.

use ccd402_protocol::header;
use ccd402_protocol::version::X402Version;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::server::{CONTENT, Scripted};
use super::*;
use crate::payer::record::{Means, State};
use crate::payer::request::Request;
use crate::payer::wallet;

#[tokio::test]
async fn what_is_free_is_handed_on_and_nothing_is_paid() {
    let world = World::start().await;
    world.server.state().is_free = true;
    let (answer, content) = world.run().await.unwrap();
    assert_eq!((answer.payment, content.as_str()), (None, CONTENT));
    assert!(world.records().is_empty());

    world.server.state().unpaid_script.push_back(Scripted::Status(404));
    let (answer, _) = world.run().await.unwrap();
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn either_version_pays_and_gets_the_content_with_its_receipt() {
    for (version, name) in
        [(X402Version::V1, header::X_PAYMENT), (X402Version::V2, header::PAYMENT_SIGNATURE)]
    {
        let world = World::start().await;
        world.server.state().versions = vec![version];
        let (answer, content) = world.run().await.unwrap();
        let paid = answer.payment.unwrap();
        assert_eq!(content, CONTENT);
        let hash = paid.record.transaction().unwrap();
        assert_eq!(paid.receipt.unwrap().transaction, hash.to_string());
        assert!(matches!(paid.record.state, State::Paid { .. }));
        assert_eq!(world.records(), [paid.record]);
        assert_eq!(world.server.state().presented[0].0, name);
        assert_eq!(world.chain.state().included.len(), 1);
        assert_eq!(world.chain.state().balances["CCD"], 98_500_000);
    }
}

#[tokio::test]
async fn v2_is_preferred_and_its_extensions_are_echoed() {
    let world = World::start().await;
    world.run().await.unwrap();
    let (name, value) = world.server.state().presented[0].clone();
    assert_eq!(name, header::PAYMENT_SIGNATURE);
    let payload: Value = header::decode(value.as_bytes()).unwrap();
    assert_eq!(payload["extensions"], json!({ "bazaar": { "info": { "kept": 1 } } }));
    assert_eq!(payload["resource"]["url"], world.server.url());
}

#[tokio::test]
async fn a_receipt_keeps_neither_signed_bytes_nor_presentation() {
    let world = World::start().await;
    let (_, value) = {
        world.run().await.unwrap();
        world.server.state().presented[0].clone()
    };
    let directory = world.directory.path().join("alice.payments");
    let file = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains(&value) && !text.contains("\"bytes\""), "{text}");
}

#[tokio::test]
async fn the_steps_are_told_in_order() {
    let world = World::start().await;
    let (answer, _) = world.run().await.unwrap();
    let payment = answer.payment.unwrap().record.id();
    let steps = world.steps();
    let Step::Quoted(quote) = &steps[0] else { panic!("{steps:?}") };
    assert_eq!((quote.amount.as_str(), quote.fee.as_str()), ("1.5", "0.6"));
    assert_eq!(quote.description.as_deref(), Some("a forecast"));
    let rest = [Step::Recorded { payment }, Step::Sent { payment }, Step::Accepted { status: 200 }];
    assert_eq!(steps[1..], rest);
}

#[tokio::test]
async fn a_pending_transfer_is_presented_again_with_the_same_header_until_it_is_final() {
    let world = World::start().await;
    world.chain.state().pending_answers = 3;
    let (_, content) = world.run().await.unwrap();
    assert_eq!(content, CONTENT);
    let presented = world.server.state().presented.clone();
    assert!(presented.len() >= 4, "{}", presented.len());
    assert!(presented.iter().all(|one| *one == presented[0]), "byte for byte the same");
    assert_eq!(world.chain.state().sends, 1);
}

#[tokio::test]
async fn failures_on_the_other_side_are_waited_out_and_paid_once() {
    let world = World::start().await;
    for scripted in [
        Scripted::Status(500),
        Scripted::Status(502),
        Scripted::Status(503),
        Scripted::Status(429),
        Scripted::Code("settlement_pending"),
        Scripted::Code("facilitator_unavailable"),
    ] {
        world.server.state().script.push_back(scripted);
    }
    let (_, content) = world.run().await.unwrap();
    assert_eq!(content, CONTENT);
    assert_eq!(world.server.state().presented.len(), 7);
    let finalized = world.steps().into_iter().filter(|step| matches!(step, Step::Finalized { .. }));
    assert_eq!(finalized.count(), 1);
    assert_eq!(world.chain.state().included.len(), 1);
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_ends_the_run_and_the_next_one_finishes_it() {
    let world = World::start().await;
    let busy = || {
        let response = axum::response::Response::builder().status(503).header("retry-after", "250");
        response.body(axum::body::Body::empty()).unwrap()
    };
    world.server.state().script.push_back(Scripted::Raw(Box::new(busy)));
    let error = world.run().await.unwrap_err();
    assert!(matches!(error, Error::Unfinished { .. }), "{error}");
    let (answer, _) = world.run().await.unwrap();
    assert_eq!(answer.payment.unwrap().record.transaction(), error.transfer());
    assert_eq!(world.chain.state().included.len(), 1);
}

#[tokio::test]
async fn a_post_is_repeated_with_its_body_and_headers() {
    let world = World::start().await;
    let name = HeaderName::from_static("x-tenant");
    let request = Request::new(Method::POST, &world.server.url())
        .and_then(|request| request.header(name.clone(), HeaderValue::from_static("one")))
        .and_then(|request| request.body(b"what if it rains?".to_vec()))
        .unwrap();
    let mut answer = world.payer(world.options()).request(&request).await.unwrap();
    assert_eq!(answer.bytes(100).await.unwrap(), CONTENT.as_bytes());
    let state = world.server.state();
    assert_eq!(state.last_body, b"what if it rains?");
    assert_eq!(state.last_headers[&name], "one");
}

#[tokio::test]
async fn an_identity_proof_goes_with_the_payment_where_one_is_asked_for() {
    for version in [X402Version::V1, X402Version::V2] {
        let world = World::start().await;
        world.server.state().versions = vec![version];
        world.server.state().tweak = |offer| {
            offer["extra"]["identity"] = json!({ "statement": [adult()] });
        };
        let (answer, _) = world.run().await.unwrap();
        let Means::Transfer { digest, .. } = answer.payment.unwrap().record.means else { panic!() };
        let (_, value) = world.server.state().presented[0].clone();
        let payload: Value = header::decode(value.as_bytes()).unwrap();
        assert_eq!(payload["payload"]["presentation"]["challenge"], digest.to_string());
        let Step::Quoted(quote) = &world.steps()[0] else { panic!("no quote") };
        assert_eq!(quote.proves, ["age 18 or more"]);
    }
}

#[tokio::test]
async fn an_identity_proof_that_only_the_v2_extension_asks_for_is_made() {
    let world = World::start().await;
    world.server.state().tweak_required = |required| {
        required["extensions"]["concordium-identity"]["info"] = json!({ "statement": [adult()] });
    };
    world.run().await.unwrap();
    let (_, value) = world.server.state().presented[0].clone();
    let payload: Value = header::decode(value.as_bytes()).unwrap();
    assert!(payload["payload"]["presentation"].is_object());
}

pub(super) fn adult() -> Value {
    json!({
        "type": "AttributeInRange",
        "attributeTag": "dob",
        "lower": "18000101",
        "upper": "20081123",
    })
}

#[tokio::test]
async fn a_node_that_is_away_for_a_moment_is_waited_for() {
    let world = World::start().await;
    world.chain.state().send_error = Some(wallet::Error::Unavailable("restarting".to_owned()));
    let (chain, steps) = (world.chain.clone(), world.steps.clone());
    let mut options = world.options();
    options.observer = Some(Arc::new(move |step| {
        if matches!(step, Step::Waiting { .. }) {
            chain.state().send_error = None;
        }
        steps.lock().unwrap().push(step);
    }));
    world.run_with(options).await.unwrap();
    assert_eq!(world.chain.state().included.len(), 1);
}

#[tokio::test]
async fn an_offer_in_an_asset_without_a_limit_is_passed_over_for_one_within_it() {
    let world = World::start().await;
    world.server.state().tweak_required = |required| {
        let mut token = required["accepts"][0].clone();
        token["asset"] = json!("EURR");
        let ccd = required["accepts"][0].clone();
        required["accepts"] = json!([token, ccd]);
    };
    let (answer, _) = world.run().await.unwrap();
    assert_eq!(answer.payment.unwrap().record.asset, "CCD".parse().unwrap());
}

#[tokio::test]
async fn receipts_are_bounded_and_unfinished_payments_are_never_dropped() {
    let world = World::start().await;
    let (answer, _) = world.run().await.unwrap();
    let receipt = answer.payment.unwrap().record;
    let journal = world.journal();
    for n in 0..=crate::payer::journal::RECEIPTS_MAX {
        let mut record = receipt.clone();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let hash = ccd402_domain::ids::TransactionHash::from_bytes(bytes);
        let digest = ccd402_domain::ids::Digest::from_bytes(bytes);
        record.means = Means::Transfer { hash, digest };
        record.created_at += TimeDelta::seconds(1 + i64::try_from(n).unwrap());
        journal.write(&record).unwrap();
    }
    let records = world.records();
    assert_eq!(records.len(), crate::payer::journal::RECEIPTS_MAX);
    assert!(!records.contains(&receipt), "the oldest went first");
}
