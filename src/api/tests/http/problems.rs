//! What no route takes, and the ids by which requests are found again.

use reqwest::StatusCode;
use reqwest::header::{ALLOW, CONTENT_TYPE};
use serde_json::json;

use crate::support::{TestApi, answer, read};

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let api = TestApi::start().await;
    let response = api.get("/v2/nothing").send().await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let (status, problem) = read(response).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("route_not_found")));
    assert_eq!(answer(api.get("/errors/nonsense")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let api = TestApi::start().await;
    let (_, problem) = answer(api.get("/v1/verifications/nonsense")).await;
    let response = api.get(problem["type"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/markdown; charset=utf-8");
    let page = include_str!("../../../../ops/errors/verification_not_found.md");
    assert_eq!(response.text().await.unwrap(), page);
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_told_which_are() {
    let api = TestApi::start().await;
    for (path, allowed) in [("/settle", "POST"), ("/verify", "POST")] {
        let response = api.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], allowed);
    }
    let response = api.post("/supported", &json!({})).send().await.unwrap();
    assert_eq!(response.headers()[ALLOW], "GET,HEAD");
    let (status, problem) = read(response).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(problem["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_request_keeps_its_id_or_gets_one() {
    let api = TestApi::start().await;
    let id = |request: reqwest::RequestBuilder| async {
        let response = request.send().await.unwrap();
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let own = api.get("/health").header("x-request-id", "trace-1");
    assert_eq!(id(own).await, "trace-1");
    let insane = api.get("/health").header("x-request-id", "a b\"c");
    assert_ne!(id(insane).await, "a b\"c");
    assert_ne!(id(api.get("/health")).await, id(api.get("/health")).await);
}
