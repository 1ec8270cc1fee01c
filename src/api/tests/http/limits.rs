//! What is too much, too large, too slow or not JSON.

use std::time::Duration;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use futures::stream;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::purchase::Purchase;
use crate::support::{LONG_SECONDS, TestApi, answer, read, soon};

/// Sends bytes and reads until the server closes the connection.
async fn raw(api: &TestApi, bytes: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    // So small that what the server does not read is not sent.
    socket.set_send_buffer_size(128 * 1024).unwrap();
    let mut stream = socket.connect(api.address().parse().unwrap()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn headers_are_bounded() {
    let api = TestApi::start().await;
    let fits = api.get("/supported").header("x-filler", "x".repeat(7_000));
    assert_eq!(answer(fits).await.0, StatusCode::OK);
    let too_large = api.get("/supported").header("x-filler", "x".repeat(9_000));
    let (status, problem) = answer(too_large).await;
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(problem["code"], "request_too_large");

    let huge = format!("GET /health HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    assert!(raw(&api, &huge).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET /health HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert!(raw(&api, &many).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn bodies_are_bounded_whether_or_not_they_say_how_long_they_are() {
    let api = TestApi::start().await;
    for bytes in [64 * 1024, 900 * 1024] {
        let body = json!("x".repeat(bytes));
        let (status, problem) = answer(api.post("/v1/verifications", &body)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(problem["code"], "request_too_large");
    }

    let chunks = stream::iter((0..900).map(|_| Ok::<_, std::io::Error>("x".repeat(1_024))));
    let request = api.post("/verify", &Value::Null).body(Body::wrap_stream(chunks));
    let (status, refused) = answer(request).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        (&refused["isValid"], &refused["invalidReason"]),
        (&json!(false), &json!("request_too_large"))
    );

    let exact = format!("{{}}{}", " ".repeat(64 * 1024 - 2));
    let request = api.post("/verify", &Value::Null).body(exact);
    assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_sends_everything_before_it_reads_still_learns_why() {
    let api = TestApi::start().await;
    let head = "POST /verify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let body = "x".repeat(900 * 1024);
    let declared = format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let refused = raw(&api, &format!("{declared}{body}")).await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    let chunked = format!("{head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    let refused = raw(&api, &format!("{chunked}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
}

#[tokio::test]
async fn only_json_is_taken() {
    let api = TestApi::start().await;
    for path in ["/verify", "/settle", "/v1/verifications"] {
        let body = Purchase::new(1).request().to_string();
        let url = format!("{}{path}", api.url);
        let plain = api.http.post(&url).header(CONTENT_TYPE, "text/plain").body(body.clone());
        assert_eq!(answer(plain).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        let unsaid = api.http.post(&url).body(body.clone());
        assert_eq!(answer(unsaid).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        let json = api.http.post(&url).header(CONTENT_TYPE, "Application/JSON; charset=utf-8");
        let json = json.header("prefer", "wait=0").body(body);
        assert!(answer(json).await.0.is_success(), "{path}");
    }
}

#[tokio::test]
async fn slow_bodies_and_slow_heads_are_cut_off() {
    let options = Options { body_timeout: Duration::from_millis(50), ..Options::default() };
    let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
    let api = TestApi::start_with(options, limits).await;
    let head = "POST /v1/verifications HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let slow_body = raw(&api, &format!("{head}content-length: 10\r\n\r\n{{")).await;
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    let slow_head = raw(&api, head).await;
    assert!(slow_head.is_empty() || slow_head.starts_with("HTTP/1.1 408 "), "{slow_head}");
}

#[tokio::test]
async fn a_flood_is_shed_and_the_probe_is_not() {
    let options = Options { requests_max: 1, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    api.health.followed(1);
    let purchase = Purchase::new(1);
    let request = api.post("/verify", &purchase.request());
    let request = request.header("prefer", format!("wait={LONG_SECONDS}"));
    let waiting = tokio::spawn(answer(request));
    api.chain.asked(1).await;

    let response = api.post("/verify", &purchase.request()).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    let (status, shed) = read(response).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((&shed["isValid"], &shed["invalidReason"]), (&json!(false), &json!("overloaded")));
    assert_eq!(answer(api.get("/health")).await.0, StatusCode::OK);

    api.finalize(&purchase).await;
    assert_eq!(soon(waiting).await.unwrap().1["isValid"], true);
}

#[tokio::test]
async fn one_wait_too_many_is_answered_without_waiting() {
    let options = Options { waits_max: 1, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let purchase = Purchase::new(1);
    let wait = format!("wait={LONG_SECONDS}");
    let request = api.post("/verify", &purchase.request()).header("prefer", &wait);
    let waiting = tokio::spawn(answer(request));
    api.chain.asked(1).await;
    let request = api.post("/verify", &purchase.request()).header("prefer", &wait);
    let (_, pending) = soon(answer(request)).await;
    assert_eq!(pending["invalidReason"], "transaction_pending");
    assert!(!waiting.is_finished());
    api.finalize(&purchase).await;
    assert_eq!(soon(waiting).await.unwrap().1["isValid"], true);
}
