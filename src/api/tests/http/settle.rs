//! `POST /settle`.

use ccd402_protocol::network::TESTNET;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::log::Fault;
use crate::support::purchase::Purchase;
use crate::support::{LONG_SECONDS, TestApi, answer, soon};

#[tokio::test]
async fn a_good_payment_settles_once_in_both_versions() {
    let api = TestApi::start().await;
    for purchase in [Purchase::new(1).v1(), Purchase::new(2).consumed_on_settle()] {
        api.finalize(&purchase).await;
        assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], true);
        let settled = api.ask("/settle", &purchase.request()).await;
        assert_eq!(settled["success"], true, "{settled}");
        assert_eq!(settled["transaction"], json!(purchase.hash()));
        assert_eq!(settled["network"], json!(Purchase::network()));
        assert_eq!(settled["amount"], "1000000");
        assert_eq!(settled["payer"], json!(Purchase::payer()));
        assert!(settled["extra"]["verification"].is_string());
        assert_eq!(settled["extra"].get("reservation"), None);
        let again = api.ask("/settle", &purchase.request()).await;
        assert_eq!(
            (&again["success"], &again["transaction"]),
            (&json!(false), &settled["transaction"])
        );
        assert_eq!(again["errorReason"], "duplicate_settlement");
    }
}

#[tokio::test]
async fn the_network_is_called_as_the_request_calls_it() {
    let api = TestApi::start().await;
    let mut request = Purchase::new(1).v1().request();
    request["paymentRequirements"]["network"] = "concordium-testnet".into();
    let refused = api.ask("/settle", &request).await;
    assert_eq!(refused["errorReason"], "invalid_network");
    assert_eq!(refused["network"], "concordium-testnet");
    assert_ne!(refused["network"], TESTNET);
    assert_eq!(refused["transaction"], json!(Purchase::new(1).hash()));
}

#[tokio::test]
async fn what_is_not_final_is_pending_and_the_repeated_call_waits() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let pending = api.ask("/settle", &purchase.request()).await;
    assert_eq!(pending["errorReason"], "settlement_pending");
    assert_eq!(pending["transaction"], json!(purchase.hash()));
    assert_eq!(pending["amount"], "1000000");

    let request = api.post("/settle", &purchase.request());
    let request = request.header("prefer", format!("wait={LONG_SECONDS}"));
    let waiting = tokio::spawn(answer(request));
    api.chain.asked(2).await;
    api.finalize(&purchase).await;
    let (status, settled) = soon(waiting).await.unwrap();
    assert_eq!((status, &settled["success"]), (StatusCode::OK, &json!(true)), "{settled}");
}

#[tokio::test]
async fn a_key_replays_the_settlement_and_refuses_another_body() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    api.finalize(&purchase).await;
    let keyed = |body: &Value| api.post("/settle", body).header("idempotency-key", "order-1");
    let (_, first) = answer(keyed(&purchase.request())).await;
    assert_eq!(first["success"], true);
    let (_, again) = answer(keyed(&purchase.request())).await;
    assert_eq!(again, first);
    let (status, other) = answer(keyed(&Purchase::new(2).request())).await;
    assert_eq!((status, &other["success"]), (StatusCode::CONFLICT, &json!(false)));
    assert_eq!(other["errorReason"], "idempotency_key_reused");
}

#[tokio::test]
async fn failures_have_the_shape_of_an_answer() {
    let api = TestApi::start().await;
    let (status, malformed) = answer(api.post("/settle", &json!([]))).await;
    assert_eq!((status, &malformed["success"]), (StatusCode::BAD_REQUEST, &json!(false)));
    assert_eq!(malformed["errorReason"], "malformed_request");
    assert_eq!((&malformed["transaction"], &malformed["network"]), (&json!(""), &json!("")));

    api.log.fail(Fault::Broken);
    let (status, failed) = answer(api.post("/settle", &Purchase::new(1).request())).await;
    assert_eq!((status, &failed["success"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)));
    assert_eq!(failed["errorReason"], "unexpected_settle_error");
    assert_eq!(failed["transaction"], json!(Purchase::new(1).hash()));
    assert_eq!(failed["network"], json!(Purchase::network()));
}
