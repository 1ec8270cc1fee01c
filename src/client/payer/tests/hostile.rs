//! 402s that are huge, nonsense, or of the wrong types: no panic, no payment, a plain reason.

use axum::body::Body;
use axum::response::Response;
use ccd402_protocol::header;
use serde_json::json;

use super::server::Scripted;
use super::*;

fn demand(required: Option<Vec<u8>>, body: Vec<u8>) -> Scripted {
    Scripted::Raw(Box::new(move || {
        let mut response = Response::builder().status(402);
        if let Some(value) = required {
            response = response.header(header::PAYMENT_REQUIRED, value);
        }
        response.body(Body::from(body)).unwrap()
    }))
}

fn encoded(value: &serde_json::Value) -> Option<Vec<u8>> {
    Some(header::encode(value).unwrap().into_bytes())
}

#[tokio::test]
async fn hostile_demands_are_refused_with_a_reason() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let many = json!({ "x402Version": 1, "accepts": vec![json!({}); 10_000] });
    let wrong = json!({ "x402Version": 1, "accepts": [{
        "scheme": ["exact"], "network": 7, "maxAmountRequired": 1, "resource": null, "payTo": {},
        "maxTimeoutSeconds": -1, "asset": true, "extra": "\u{1b}[2J",
    }] });
    let resource = json!({ "url": "x" });
    let cases = [
        demand(None, Vec::new()),
        demand(None, b"pay me".to_vec()),
        demand(None, vec![b' '; 300 * 1024]),
        demand(None, deep.into_bytes()),
        demand(None, many.to_string().into_bytes()),
        demand(None, wrong.to_string().into_bytes()),
        demand(None, br#"{"x402Version":1,"accepts":[]}"#.to_vec()),
        demand(None, br#"{"x402Version":99,"accepts":[]}"#.to_vec()),
        demand(None, br#"{"x402Version":2,"accepts":"all"}"#.to_vec()),
        demand(Some(b"!!!".to_vec()), Vec::new()),
        demand(Some(vec![b'A'; 40 * 1024]), Vec::new()),
        demand(Some(vec![0xff; 100]), Vec::new()),
        demand(encoded(&json!({ "x402Version": 1 })), Vec::new()),
        demand(
            encoded(&json!({ "x402Version": 2, "resource": resource, "accepts": [null, 1, []] })),
            Vec::new(),
        ),
    ];
    let world = World::start().await;
    for (number, case) in cases.into_iter().enumerate() {
        world.server.state().unpaid_script.push_back(case);
        let error = world.run().await.unwrap_err();
        assert_eq!(error.code(), "payment_required_unreadable", "case {number}: {error}");
        assert!(!error.to_string().chars().any(char::is_control), "case {number}: {error:?}");
    }
    assert!(world.records().is_empty());
    assert_eq!(world.chain.state().sends, 0);
}

#[tokio::test]
async fn a_readable_version_is_taken_where_the_other_is_nonsense() {
    let world = World::start().await;
    world.server.state().versions = vec![ccd402_protocol::version::X402Version::V2];
    world.run().await.unwrap();
    assert_eq!(world.chain.state().included.len(), 1);
}

#[tokio::test]
async fn content_that_is_longer_than_wanted_is_refused() {
    let world = World::start().await;
    world.server.state().is_free = true;
    let mut answer = world.payer(world.options()).get(&world.server.url()).await.unwrap();
    assert_eq!(answer.bytes(4).await.unwrap_err().code(), "content_too_long");
}

#[tokio::test]
async fn a_refusal_in_nonsense_after_the_payment_is_no_reason_to_pay_again() {
    let world = World::start().await;
    for body in [Vec::new(), b"no".to_vec(), vec![b'x'; 300 * 1024]] {
        world.server.state().script.push_back(demand(None, body));
        let error = world.run().await.unwrap_err();
        assert_eq!(error.code(), "payment_required", "{error}");
    }
    assert_eq!(world.chain.state().included.len(), 1);
}
