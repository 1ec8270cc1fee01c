//! `POST /v1/verifications/{id}/release`.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer};

struct Held {
    path: String,
    reservation: Value,
}

async fn hold(api: &TestApi, purchase: &Purchase) -> Held {
    api.finalize(purchase).await;
    let answer = api.ask("/verify", &purchase.request()).await;
    assert_eq!(answer["isValid"], true, "{answer}");
    let path = answer["extra"]["statusUrl"].as_str().unwrap().to_owned();
    Held { path, reservation: json!({ "reservation": answer["extra"]["reservation"] }) }
}

async fn usage(api: &TestApi, held: &Held) -> Value {
    let (_, shown) = answer(api.get(&held.path)).await;
    assert!(!shown.to_string().contains(held.reservation["reservation"].as_str().unwrap()));
    shown["usage"].clone()
}

#[tokio::test]
async fn a_released_payment_can_be_verified_again() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).consumed_on_settle();
    let held = hold(&api, &purchase).await;
    assert_eq!(usage(&api, &held).await, "reserved");
    assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], false);

    let path = format!("{}/release", held.path);
    let released = api.post(&path, &held.reservation).send().await.unwrap();
    assert_eq!(released.status(), StatusCode::NO_CONTENT);
    let again = api.post(&path, &held.reservation).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NO_CONTENT);
    assert_eq!(usage(&api, &held).await, "free");

    assert_eq!(api.ask("/verify", &purchase.request()).await["isValid"], true);
    assert_eq!(api.ask("/settle", &purchase.request()).await["success"], true);
    assert_eq!(usage(&api, &held).await, "used");
}

#[tokio::test]
async fn a_reservation_lapses() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).consumed_on_settle();
    let held = hold(&api, &purchase).await;
    api.clock.advance(TimeDelta::seconds(61));
    assert_eq!(usage(&api, &held).await, "free");
}

#[tokio::test]
async fn only_the_holder_releases_and_only_what_is_there() {
    let api = TestApi::start().await;
    let held = hold(&api, &Purchase::new(1).consumed_on_settle()).await;
    let other = json!({ "reservation": "00000000-0000-4000-8000-000000000000" });
    let path = format!("{}/release", held.path);
    let (status, problem) = answer(api.post(&path, &other)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("reservation_not_held")));
    let nowhere = "/v1/verifications/00000000-0000-4000-8000-000000000000/release";
    for path in [nowhere, "/v1/verifications/nonsense/release"] {
        let (status, problem) = answer(api.post(path, &other)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["code"], "verification_not_found");
    }
    let (status, problem) = answer(api.post(&path, &json!({ "reservation": 1 }))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_request")));
    assert_eq!(usage(&api, &held).await, "reserved");
}
