//! `POST /v1/verifications` and `GET /v1/verifications/{id}`.

use ccd402_domain::ids::VerificationId;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::log::Fault;
use crate::support::purchase::{Purchase, URL};
use crate::support::{LONG_SECONDS, TestApi, answer, read, soon};

const ROUTE: &str = "/v1/verifications";

async fn submit(api: &TestApi, purchase: &Purchase) -> String {
    let response = api.post(ROUTE, &purchase.request()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    location(&response)
}

fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_submission_is_accepted_and_then_told_of() {
    let api = TestApi::start().await;
    for purchase in [Purchase::new(1).v1(), Purchase::new(2)] {
        let response = api.post(ROUTE, &purchase.request()).send().await.unwrap();
        let path = location(&response);
        let (status, accepted) = read(response).await;
        assert_eq!((status, &accepted["status"]), (StatusCode::ACCEPTED, &json!("pending")));
        let id = accepted["id"].as_str().unwrap();
        assert_eq!(path, format!("{ROUTE}/{id}"));
        assert_eq!(accepted["statusUrl"], path);

        let (_, pending) = answer(api.get(&path)).await;
        assert_eq!(pending["status"], "pending");
        assert_eq!(pending.get("block"), None);
        api.finalize(&purchase).await;
        let (_, confirmed) = answer(api.get(&path)).await;
        let block = purchase.transaction().block;
        let expected = json!({
            "asOf": api.facilitator.log().head().borrow().to_owned(),
            "id": id,
            "status": "confirmed",
            "statusUrl": path,
            "payment": {
                "network": Purchase::network(),
                "transaction": purchase.hash(),
                "payer": Purchase::payer(),
                "payTo": Purchase::pay_to(),
                "asset": "CCD",
                "amount": "1000000",
                "resource": { "method": "GET", "url": URL },
            },
            "block": { "height": block.height, "hash": block.hash, "time": block.time },
            "usage": "free",
            "version": 2,
            "requestedAt": "2027-01-15T08:00:00Z",
        });
        assert_eq!(confirmed, expected);
    }
}

#[tokio::test]
async fn a_payment_that_fails_later_says_why() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).paying(1);
    let path = submit(&api, &purchase).await;
    api.finalize(&purchase).await;
    let (status, failed) = answer(api.get(&path)).await;
    assert_eq!((status, &failed["status"]), (StatusCode::OK, &json!("failed")));
    assert_eq!(failed["reason"]["code"], "amount_mismatch");
    assert!(failed["reason"]["title"].is_string() && failed["reason"]["detail"].is_string());
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_verification() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let keyed = |body: &Value| api.post(ROUTE, body).header("idempotency-key", "order-1").send();
    let first = keyed(&purchase.request()).await.unwrap();
    let second = keyed(&purchase.request()).await.unwrap();
    assert_eq!((first.status(), second.status()), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(location(&first), location(&second));
    api.finalize(&purchase).await;
    let third = keyed(&purchase.request()).await.unwrap();
    assert_eq!(location(&first), location(&third));
    let (status, third) = read(third).await;
    assert_eq!((status, &third["status"]), (StatusCode::OK, &json!("confirmed")));

    let (status, other) = read(keyed(&Purchase::new(2).request()).await.unwrap()).await;
    assert_eq!((status, &other["code"]), (StatusCode::CONFLICT, &json!("idempotency_key_reused")));
}

#[tokio::test]
async fn of_two_submissions_of_one_payment_one_is_confirmed() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let paths = [submit(&api, &purchase).await, submit(&api, &purchase).await];
    api.finalize(&purchase).await;
    let (_, first) = answer(api.get(&paths[0])).await;
    let (_, second) = answer(api.get(&paths[1])).await;
    assert_eq!((&first["status"], &second["status"]), (&json!("confirmed"), &json!("failed")));
    assert_eq!(second["reason"]["code"], "payment_already_used");
}

#[tokio::test]
async fn what_is_refused_at_once_is_a_problem() {
    let api = TestApi::start().await;
    let mut elsewhere = Purchase::new(1).request();
    elsewhere["paymentRequirements"]["network"] = "concordium".into();
    let response = api.post(ROUTE, &elsewhere).send().await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let (status, problem) = read(response).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "invalid_network");
    assert_eq!(problem["type"], "/errors/invalid_network");
    assert_eq!(problem["status"], 422);
    assert_eq!(problem["retryable"], false);
    assert_eq!(problem["requestId"], id);
    assert!(problem["title"].is_string() && problem["detail"].is_string());

    let (status, problem) = answer(api.post(ROUTE, &json!({ "x402Version": 2 }))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_request")));
    let request = api.post(ROUTE, &Purchase::new(1).request()).header("idempotency-key", "a b");
    assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn faults_of_ours_can_be_tried_again() {
    let api = TestApi::start().await;
    for (fault, code) in [(Fault::Busy, "overloaded"), (Fault::Broken, "log_unavailable")] {
        api.log.fail(fault);
        let response = api.post(ROUTE, &Purchase::new(1).request()).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, problem) = read(response).await;
        assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(code)));
        assert_eq!(problem["retryable"], true);
        assert!(!problem.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn more_than_may_wait_is_turned_away() {
    let api = TestApi::start().await;
    for number in 0..90 {
        submit(&api, &Purchase::new(number)).await;
    }
    let request = |number| api.post(ROUTE, &Purchase::new(number).request());
    let response = request(90).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "5");
    let (status, problem) = read(response).await;
    assert_eq!(
        (status, &problem["code"], &problem["retryable"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_waiting"), &json!(true))
    );
    let verify = api.post("/verify", &Purchase::new(90).request()).header("prefer", "wait=0");
    let (status, refused) = answer(verify).await;
    assert_eq!(
        (status, &refused["invalidReason"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_waiting"))
    );

    let other = api.key_of("other").await;
    for number in 0..10 {
        let (status, _) = answer(request(number).bearer_auth(&other)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "another tenant has room");
    }
    let (status, problem) = answer(request(90).bearer_auth(&other)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("overloaded")));
}

#[tokio::test]
async fn a_long_poll_wakes_with_the_outcome() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1);
    let path = submit(&api, &purchase).await;
    let reads = api.log.reads();
    let polling = tokio::spawn(answer(api.get(&format!("{path}?wait={LONG_SECONDS}s"))));
    api.log.read_after(reads).await;
    api.finalize(&purchase).await;
    let (status, confirmed) = soon(polling).await.unwrap();
    assert_eq!((status, &confirmed["status"]), (StatusCode::OK, &json!("confirmed")));
}

#[tokio::test]
async fn a_wait_ends_when_time_is_up_and_must_be_a_duration() {
    let api = TestApi::start().await;
    let path = submit(&api, &Purchase::new(1)).await;
    let (status, pending) = answer(api.get(&format!("{path}?wait=50ms"))).await;
    assert_eq!((status, &pending["status"]), (StatusCode::OK, &json!("pending")));
    let (status, problem) = answer(api.get(&format!("{path}?wait=soon"))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_request")));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let api = TestApi::start().await;
    let nobody = VerificationId("00000000-0000-7000-8000-000000000000".parse().unwrap());
    for id in [nobody.to_string(), "nonsense".to_owned()] {
        let (status, problem) = answer(api.get(&format!("{ROUTE}/{id}?wait=60s"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["code"], "verification_not_found");
    }
}
