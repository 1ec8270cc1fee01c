//! The extension `payment-identifier`: the payer's own key for a payment.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer};

const ID: &str = "pay_7d5d747be160e280";

fn with(purchase: &Purchase, info: &Value) -> Value {
    let mut request = purchase.request();
    request["paymentPayload"]["extensions"] =
        json!({ "payment-identifier": { "info": info, "schema": {} } });
    request
}

#[tokio::test]
async fn the_same_identifier_hears_the_stored_answer_for_the_same_body_alone() {
    let api = TestApi::start().await;
    for (route, good, number) in [("/verify", "isValid", 1), ("/settle", "success", 3)] {
        let purchase = Purchase::new(number);
        api.finalize(&purchase).await;
        let id = format!("{ID}{number}");
        let request = with(&purchase, &json!({ "required": true, "id": id }));
        let first = api.ask(route, &request).await;
        assert_eq!(first[good], true, "{first}");
        let (status, again) = answer(api.post(route, &request)).await;
        assert_eq!((status, again), (StatusCode::OK, first), "the answer is the stored one");

        let other = with(&Purchase::new(number + 1), &json!({ "id": id }));
        let (status, refused) = answer(api.post(route, &other)).await;
        assert_eq!((status, &refused[good]), (StatusCode::CONFLICT, &json!(false)), "{refused}");
        assert!(refused.to_string().contains("idempotency_key_reused"), "{refused}");
    }
}

#[tokio::test]
async fn an_identifier_that_is_wanted_and_missing_or_is_none_is_malformed() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    api.finalize(&purchase).await;
    for info in
        [json!({ "required": true }), json!({ "id": "short" }), json!({ "id": "x".repeat(129) })]
    {
        let (status, refused) = answer(api.post("/verify", &with(&purchase, &info))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{info}");
        assert_eq!(refused["invalidReason"], "malformed_request");
    }
    // Nothing was used up by it.
    let info = json!({ "required": false });
    assert_eq!(api.ask("/verify", &with(&purchase, &info)).await["isValid"], true);
}

#[tokio::test]
async fn a_header_of_the_callers_own_comes_first() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    api.finalize(&purchase).await;
    let request = with(&purchase, &json!({ "id": ID }));
    let keyed = api.post("/verify", &request).header("idempotency-key", "order-1");
    assert_eq!(answer(keyed).await.1["isValid"], true);
    let by_identifier = api.ask("/verify", &request).await;
    assert_eq!(by_identifier["invalidReason"], "payment_already_used", "{by_identifier}");
}
