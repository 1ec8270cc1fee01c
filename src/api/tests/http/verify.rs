//! `POST /verify`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::chain::Mood;
use crate::support::log::Fault;
use crate::support::purchase::Purchase;
use crate::support::{LONG_SECONDS, TestApi, answer, soon};

#[tokio::test]
async fn a_good_payment_is_valid_once_in_both_versions() {
    let api = TestApi::start().await;
    for purchase in [Purchase::new(1).v1(), Purchase::new(2)] {
        api.finalize(&purchase).await;
        let first = api.ask("/verify", &purchase.request()).await;
        assert_eq!(first["isValid"], true, "{first}");
        assert_eq!(first["payer"], json!(Purchase::payer()));
        let status_url = first["extra"]["statusUrl"].as_str().unwrap();
        let (status, shown) = answer(api.get(status_url)).await;
        assert_eq!((status, &shown["id"]), (StatusCode::OK, &first["extra"]["verification"]));
        let second = api.ask("/verify", &purchase.request()).await;
        assert_eq!(second["isValid"], false);
        assert_eq!(second["invalidReason"], "payment_already_used");
    }
}

#[tokio::test]
async fn a_refused_payment_is_an_answer_with_200() {
    let api = TestApi::start().await;
    let too_little = Purchase::new(1).paying(999_999);
    api.finalize(&too_little).await;
    let refused = api.ask("/verify", &too_little.request()).await;
    assert_eq!(refused["invalidReason"], "amount_mismatch");
    assert!(refused["invalidMessage"].as_str().unwrap().contains("999999"), "{refused}");

    let mut elsewhere = Purchase::new(2).request();
    elsewhere["paymentRequirements"]["network"] = "concordium".into();
    assert_eq!(api.ask("/verify", &elsewhere).await["invalidReason"], "invalid_network");

    let mut future = Purchase::new(3).request();
    future["x402Version"] = 3.into();
    assert_eq!(api.ask("/verify", &future).await["invalidReason"], "invalid_x402_version");
}

#[tokio::test]
async fn what_is_not_final_is_pending_and_uses_nothing_up() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let pending = api.ask("/verify", &purchase.request()).await;
    assert_eq!(pending["invalidReason"], "transaction_pending");
    assert!(pending["extra"]["statusUrl"].is_string());
    api.finalize(&purchase).await;
    assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], true);
}

#[tokio::test]
async fn verify_waits_for_finality_as_long_as_is_preferred() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let request = api
        .post("/verify", &purchase.request())
        .header("prefer", format!("respond-async, wait={LONG_SECONDS}"));
    let waiting = tokio::spawn(answer(request));
    api.chain.asked(1).await;
    api.finalize(&purchase).await;
    let (status, answer) = soon(waiting).await.unwrap();
    assert_eq!((status, &answer["isValid"]), (StatusCode::OK, &json!(true)), "{answer}");
}

#[tokio::test]
async fn a_key_replays_the_answer_and_refuses_another_body() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).consumed_on_settle();
    api.finalize(&purchase).await;
    let keyed = |body: &Value| api.post("/verify", body).header("idempotency-key", "order-1");
    let (_, first) = answer(keyed(&purchase.request())).await;
    assert_eq!(first["isValid"], true);
    assert!(first["extra"]["reservation"].is_string(), "{first}");
    let (status, again) = answer(keyed(&purchase.request())).await;
    assert_eq!((status, again), (StatusCode::OK, first));

    let (status, other) = answer(keyed(&Purchase::new(2).request())).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(other["isValid"], false);
    assert_eq!(other["invalidReason"], "idempotency_key_reused");
}

#[tokio::test]
async fn what_is_no_request_is_malformed() {
    let api = TestApi::start().await;
    for body in ["", "{", "[]", "{}", r#"{"x402Version":2}"#] {
        let request = api.post("/verify", &Value::Null).body(body);
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer["isValid"], false);
        assert_eq!(answer["invalidReason"], "malformed_request");
        assert!(answer["error"].is_string());
    }
    for key in ["", "with space", &"k".repeat(256)] {
        let request = api.post("/verify", &Purchase::new(1).request());
        let (status, answer) = answer(request.header("idempotency-key", key)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{key:?}");
        assert_eq!(answer["invalidReason"], "malformed_request");
    }
}

#[tokio::test]
async fn faults_of_ours_are_told_without_internals() {
    let api = TestApi::start().await;
    let request = || api.post("/verify", &Purchase::new(1).request()).header("prefer", "wait=0");
    let cases = [
        (Fault::Busy, 503, "overloaded"),
        (Fault::Unreadable, 503, "unexpected_verify_error"),
        (Fault::Broken, 503, "unexpected_verify_error"),
    ];
    for (fault, status, reason) in cases {
        api.log.fail(fault);
        let response = request().send().await.unwrap();
        assert_eq!(response.status(), status, "{fault:?}");
        assert_eq!(response.headers()["retry-after"], "1");
        let text = response.text().await.unwrap();
        assert!(!text.contains("secret"), "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&answer["isValid"], &answer["invalidReason"]), (&json!(false), &json!(reason)));
    }
}

#[tokio::test]
async fn a_panic_ends_one_request_and_no_more() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    api.chain.turn(Mood::Panics);
    let request = api.post("/verify", &purchase.request()).header("prefer", "wait=0");
    let (status, answer) = answer(request).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer["invalidReason"], "unexpected_verify_error");
    assert!(!answer.to_string().contains("the test says so"));
    api.chain.turn(Mood::Answers);
    api.finalize(&purchase).await;
    assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], true);
}

#[tokio::test]
async fn a_chain_that_cannot_be_asked_leaves_the_payment_pending() {
    let api = TestApi::start().await;
    for (number, mood) in [(1, Mood::Overwhelmed), (2, Mood::Incomprehensible)] {
        api.chain.turn(mood);
        let pending = api.ask("/verify", &Purchase::new(number).request()).await;
        assert_eq!(pending["invalidReason"], "transaction_pending");
        assert!(!pending.to_string().contains("secret"));
    }
}
