//! The HTTP client against a facilitator on a real socket.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use ccd402_protocol::version::X402Version;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;

/// What the facilitator got.
struct Got {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Value,
}

/// A facilitator that gives one answer to everything.
struct Fake {
    base: String,
    got: mpsc::Receiver<Got>,
}

type Answer = fn() -> Response;

impl Fake {
    async fn start(answer: Answer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/x402", listener.local_addr().unwrap());
        let (sender, got) = mpsc::channel(16);
        let router = Router::new().fallback(move |request: Request| {
            let sender = sender.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let path = parts.uri.path().to_owned();
                let got = Got { method: parts.method, path, headers: parts.headers, body };
                sender.send(got).await.unwrap();
                answer()
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, got }
    }

    fn client(&self) -> HttpFacilitator {
        self.client_with(|_| {})
    }

    fn client_with(&self, change: fn(&mut Options)) -> HttpFacilitator {
        let mut options = Options::new(&self.base).unwrap();
        change(&mut options);
        HttpFacilitator::new(options).unwrap()
    }
}

fn request() -> VerifyRequest {
    VerifyRequest {
        x402_version: X402Version::V2,
        payment_payload: json!({ "n": 1 }),
        payment_requirements: json!({ "scheme": "exact" }),
    }
}

fn with(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).body(body.into()).unwrap()
}

#[tokio::test]
async fn verify_sends_body_key_and_authorization() {
    let mut fake = Fake::start(|| with(200, r#"{"isValid":true,"payer":"me"}"#)).await;
    let client = fake.client_with(|options| options.api_key = Some("secret".to_owned()));
    let answer = client.verify(&request(), Some("key-1")).await.unwrap();
    assert!(answer.is_valid && answer.payer.as_deref() == Some("me"));
    let got = fake.got.recv().await.unwrap();
    assert_eq!((got.method, got.path.as_str()), (Method::POST, "/x402/verify"));
    assert_eq!(got.headers["authorization"], "Bearer secret");
    assert_eq!(got.headers[IDEMPOTENCY_KEY], "key-1");
    assert_eq!(got.body, serde_json::to_value(request()).unwrap());
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn a_refused_payment_is_an_answer() {
    let refused = || with(200, r#"{"isValid":false,"invalidReason":"payment_not_bound"}"#);
    let fake = Fake::start(refused).await;
    let answer = fake.client().verify(&request(), None).await.unwrap();
    assert_eq!(
        (answer.is_valid, answer.invalid_reason.as_deref()),
        (false, Some("payment_not_bound"))
    );
}

#[tokio::test]
async fn settle_and_supported_and_release_go_to_their_routes() {
    let mut fake = Fake::start(|| with(200, r#"{"success":true,"kinds":[]}"#)).await;
    assert!(fake.client().settle(&request(), None).await.unwrap().success);
    assert!(fake.client().supported().await.unwrap().kinds.is_empty());
    let (id, reservation) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
    fake.client().release(&id, &reservation).await.unwrap();
    let settle = fake.got.recv().await.unwrap();
    assert_eq!((settle.method, settle.path.as_str()), (Method::POST, "/x402/settle"));
    assert!(!settle.headers.contains_key(IDEMPOTENCY_KEY));
    let supported = fake.got.recv().await.unwrap();
    assert_eq!((supported.method, supported.path.as_str()), (Method::GET, "/x402/supported"));
    let release = fake.got.recv().await.unwrap();
    assert_eq!(release.path, format!("/x402/v1/verifications/{id}/release"));
    assert_eq!(release.body, json!({ "reservation": reservation }));
}

#[tokio::test]
async fn decimals_are_those_of_the_chain_or_there_is_no_such_asset() {
    let told = || with(200, r#"{"network":"ccd:0","asset":"EURR","decimals":6}"#);
    let mut fake = Fake::start(told).await;
    assert_eq!(fake.client().decimals("eurr%").await, Ok(Some(6)));
    assert_eq!(fake.got.recv().await.unwrap().path, "/x402/v1/assets/eurr%25");
    let fake = Fake::start(|| with(404, r#"{"code":"asset_not_found","status":404}"#)).await;
    assert_eq!(fake.client().decimals("EURR").await, Ok(None));
    let fake = Fake::start(|| with(404, "no such page")).await;
    let error = fake.client().decimals("EURR").await.unwrap_err();
    assert_eq!(error, Error::Refused { status: 404, code: None });
}

#[tokio::test]
async fn release_is_done_with_204_and_fails_with_the_code_of_the_problem() {
    let (id, reservation) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
    let fake = Fake::start(|| with(204, Body::empty())).await;
    fake.client().release(&id, &reservation).await.unwrap();
    let fake = Fake::start(|| with(409, r#"{"code":"reservation_not_held","status":409}"#)).await;
    let error = fake.client().release(&id, &reservation).await.unwrap_err();
    let code = Some("reservation_not_held".to_owned());
    assert_eq!(error, Error::Refused { status: 409, code });
    let wrong = fake.client().release("../../settle", &reservation).await.unwrap_err();
    assert!(matches!(wrong, Error::Misused(_)), "{wrong}");
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_told_apart() {
    let refused = |status| Error::Refused { status, code: None };
    let busy = |seconds| Error::Busy { retry_after: Duration::from_secs(seconds) };
    let cases: [(Answer, Error); 7] = [
        (|| with(429, ""), busy(1)),
        (
            || Response::builder().status(503).header("retry-after", "7").body("".into()).unwrap(),
            busy(7),
        ),
        (|| with(400, "<html>"), refused(400)),
        (|| with(500, vec![b'x'; 300 * 1024]), refused(500)),
        (|| with(502, format!(r#"{{"code":"{}"}}"#, "x".repeat(65))), refused(502)),
        (
            || Response::builder().status(307).header("location", "/").body("".into()).unwrap(),
            refused(307),
        ),
        (|| with(200, vec![b' '; 300 * 1024]), Error::NotUnderstood("it is too long".to_owned())),
    ];
    for (answer, expected) in cases {
        let mut fake = Fake::start(answer).await;
        assert_eq!(fake.client().verify(&request(), None).await.unwrap_err(), expected);
        fake.got.recv().await.unwrap();
        assert!(fake.got.try_recv().is_err(), "asked once, redirects are not followed");
    }
    let fake = Fake::start(|| with(200, r#"{"isValid":"yes"}"#)).await;
    let error = fake.client().verify(&request(), None).await.unwrap_err();
    assert!(matches!(error, Error::NotUnderstood(_)), "{error}");
}

#[tokio::test]
async fn a_facilitator_that_is_silent_or_gone_is_unavailable() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = Options::new(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    options.timeout = Duration::from_millis(50);
    let client = HttpFacilitator::new(options.clone()).unwrap();
    let error = client.verify(&request(), None).await.unwrap_err();
    assert_eq!(error, Error::Unavailable("it took too long".to_owned()));
    drop(silent);
    options.timeout = TIMEOUT_DEFAULT;
    let client = HttpFacilitator::new(options).unwrap();
    let error = client.verify(&request(), None).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[test]
fn what_cannot_be_sent_is_said_before() {
    for base in ["", "facilitator", "ftp://example.com", "mailto:a@example.com"] {
        assert!(matches!(Options::new(base), Err(Error::Misused(_))), "{base}");
    }
    let mut options = Options::new("https://example.com").unwrap();
    options.api_key = Some("line\nbreak".to_owned());
    assert!(matches!(HttpFacilitator::new(options), Err(Error::Misused(_))));
}
