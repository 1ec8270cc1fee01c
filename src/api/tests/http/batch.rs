//! `POST /v1/verifications` with many payments: an answer each, in either form, within bounds.

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::log::Fault;
use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer};

const ROUTE: &str = "/v1/verifications";
const NDJSON: &str = "application/x-ndjson";

fn head(api: &TestApi) -> u64 {
    *api.facilitator.log().head().borrow()
}

fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

async fn send(api: &TestApi, media: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let request = api.http.post(format!("{}{ROUTE}", api.url)).header(CONTENT_TYPE, media);
    answer(request.header("idempotency-key", "night").body(body)).await
}

#[tokio::test]
async fn each_item_is_answered_in_its_order() {
    let api = TestApi::start().await;
    let body =
        json!([Purchase::new(1).request(), { "x402Version": 7 }, Purchase::new(2).request()]);
    let (status, batch) = answer(api.post(ROUTE, &body)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!((&batch["accepted"], &batch["refused"]), (&json!(2), &json!(1)));
    let results = batch["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
    }
    assert_eq!(results[1]["status"], "refused");
    assert_eq!(results[1]["code"], "malformed_request");
    assert!(results[1]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    for result in [&results[0], &results[2]] {
        assert_eq!(result["status"], "accepted");
        let (status, shown) = answer(api.get(result["statusUrl"].as_str().unwrap())).await;
        assert_eq!((status, &shown["id"]), (StatusCode::OK, &result["id"]));
    }
    assert_eq!(head(&api), 2);
}

#[tokio::test]
async fn lines_and_arrays_of_the_same_items_are_the_same_under_a_key() {
    let api = TestApi::start().await;
    let items: Vec<_> = (1..=3).map(|number| Purchase::new(number).request()).collect();
    let (status, first) = send(&api, NDJSON, lines(&items)).await;
    assert_eq!((status, &first["accepted"]), (StatusCode::ACCEPTED, &json!(3)));
    let mut turned = items.clone();
    turned.reverse();
    turned.push(Purchase::new(4).request());
    let (_, second) = send(&api, "application/json", json!(turned).to_string()).await;
    assert_eq!((&second["repeated"], &second["accepted"]), (&json!(3), &json!(1)));
    for (at, back) in [(0, 2), (1, 1), (2, 0)] {
        assert_eq!(first["results"][at]["id"], second["results"][back]["id"]);
        assert_eq!(second["results"][back]["status"], "repeated");
    }
}

#[tokio::test]
async fn what_is_no_batch_or_too_large_is_refused_as_a_whole() {
    let options = Options { batch_bytes_max: 200_000, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let rows = [
        ("application/json", "[]".to_owned(), 400),
        ("application/json", "[{}".to_owned(), 400),
        (NDJSON, "\n\n".to_owned(), 400),
        ("text/plain", "[]".to_owned(), 415),
        ("application/json", format!("[{}]", vec!["1"; 1_001].join(",")), 413),
        ("application/json", format!("[{}]", "1".repeat(200_000)), 413),
        ("application/json", format!("{{\"a\":\"{}\"}}", "1".repeat(70_000)), 413),
    ];
    for (media, body, expected) in rows {
        let begin: String = body.chars().take(20).collect();
        let (status, problem) = send(&api, media, body).await;
        assert_eq!(status.as_u16(), expected, "{begin}: {problem}");
    }
    let large = json!({ "x": "1".repeat(70_000) });
    let (status, batch) = send(&api, NDJSON, lines(&[large, Purchase::new(1).request()])).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(batch["results"][0]["code"], "request_too_large");
    assert_eq!(batch["results"][1]["status"], "accepted");
}

#[tokio::test]
async fn a_batch_that_the_log_does_not_take_is_taken_by_nobody() {
    let api = TestApi::start().await;
    let body = lines(&[Purchase::new(1).request(), Purchase::new(2).request()]);
    for (fault, code) in [(Fault::Busy, "overloaded"), (Fault::Broken, "log_unavailable")] {
        api.log.fail(fault);
        let (status, problem) = send(&api, NDJSON, body.clone()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["code"], code);
    }
    api.log.fail(Fault::None);
    assert_eq!(head(&api), 0);
    let (_, batch) = send(&api, NDJSON, body).await;
    assert_eq!(batch["accepted"], 2);
}

#[tokio::test]
async fn batches_at_once_are_bounded() {
    let options = Options { batches_max: 0, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let (status, problem) = send(&api, NDJSON, lines(&[Purchase::new(1).request()])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    let (status, _) = answer(api.post(ROUTE, &Purchase::new(1).request())).await;
    assert_eq!(status, StatusCode::ACCEPTED, "single ones are not held up");
}
