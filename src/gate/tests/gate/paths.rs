//! No spelling of a request gets content without payment, over real HTTP with raw bytes.

use axum::Router;
use axum::routing::any;
use ccd402_gate::proxy::HEALTH_PATH;

use crate::kit::facilitator::Scripted;
use crate::kit::{code, get, layered, options, proxied, raw, serve};

fn app() -> Router {
    Router::new().fallback(any(|| async { "content" }))
}

/// Request lines that some server would read as `GET /report`.
const BYPASSES: &[&str] = &[
    "GET //report",
    "GET /./report",
    "GET /free/../report",
    "GET /free/%2e%2e/report",
    "GET /free/..%2freport",
    "GET /%72eport",
    "GET /%2572eport",
    "GET /%2Freport",
    "GET /report;jsessionid=1",
    "GET /report/.",
    "GET /report%00",
    "GET /report%3Fx",
    "GET /free/..%5creport",
    "GET /%c0%afreport",
    "get /report",
    "Get /report",
];

#[tokio::test]
async fn odd_spellings_get_no_content() {
    let upstream = serve(app()).await;
    let proxy = proxied(options(&Scripted::new(), "1 CCD"), upstream).await;
    let layer = layered(options(&Scripted::new(), "1 CCD"), app()).await;
    for gate in [proxy.address, layer] {
        for line in BYPASSES {
            let head = format!("{line} HTTP/1.1\r\nHost: {gate}\r\nConnection: close\r\n\r\n");
            let answer = raw(gate, &head).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{line}: {answer}");
            assert!(!answer.contains("content\r\n") && !answer.ends_with("content"), "{line}");
        }
    }
}

#[tokio::test]
async fn other_forms_of_the_same_request_cost_the_same() {
    let upstream = serve(app()).await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await.address;
    for line in [
        "GET /report",
        "GET /report/",
        "GET /RePort",
        "GET /report?",
        "HEAD /report",
        "GET http://elsewhere.example/report",
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: {gate}\r\nConnection: close\r\n\r\n");
        let answer = raw(gate, &head).await;
        assert!(answer.starts_with("HTTP/1.1 402 "), "{line}: {answer}");
    }
}

#[tokio::test]
async fn the_request_line_is_what_counts() {
    let gate = layered(options(&Scripted::new(), "1 CCD"), app()).await;
    for header in ["X-HTTP-Method-Override: GET", "X-Method-Override: get"] {
        let head =
            format!("PUT /report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n");
        let answer = raw(gate, &head).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{header}: {answer}");
    }
    for header in ["X-Original-URL: /report", "X-Rewrite-URL: /report"] {
        let head =
            format!("GET /free HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n");
        let answer = raw(gate, &head).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{header}: {answer}");
    }
}

#[tokio::test]
async fn a_nested_router_is_gated_by_the_path_that_the_client_sent() {
    let facilitator = Scripted::new();
    let gate = ccd402_gate::gate::Gate::new(options(&facilitator, "1 CCD"));
    let inner = app().layer(ccd402_gate::layer::GateLayer::new(std::sync::Arc::new(gate)));
    let address = serve(Router::new().nest("/articles", inner)).await;
    assert_eq!(get(address, "/articles/1").await.status(), 402);
}

#[tokio::test]
async fn requests_without_a_usable_name_are_refused() {
    let gate = layered(options(&Scripted::new(), "1 CCD"), app()).await;
    for host in ["Host: user@example.com", "Host: a b", "X: y"] {
        let answer = raw(gate, &format!("GET /report HTTP/1.0\r\n{host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.0 400 "), "{host}: {answer}");
    }
    let long = format!("/articles/{}", "a".repeat(3_000));
    assert_eq!(code(get(gate, &long).await).await, "request_too_large");
}

#[tokio::test]
async fn the_gate_says_that_it_lives() {
    let upstream = serve(app()).await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await.address;
    let health = get(gate, HEALTH_PATH).await;
    assert_eq!(health.status(), 200);
    assert_eq!(health.text().await.unwrap(), r#"{"status":"ok"}"#);
}
