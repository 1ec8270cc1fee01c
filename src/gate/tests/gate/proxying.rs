//! The reverse proxy: streams, hops, bounds and its orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::any;
use ccd402_gate::proxy;
use futures::StreamExt as _;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::kit::facilitator::Scripted;
use crate::kit::{
    Version, code, get, listener, offer, options, pay, payment, proxied, proxied_with, raw,
    request, serve, soon,
};

type Chunks = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// A server whose answers' bodies come from a channel that the test holds.
async fn streaming() -> (SocketAddr, Chunks) {
    let (chunks, body) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(Some(body)));
    let handler = move || {
        let body = Arc::clone(&body);
        async move {
            let body = body.lock().await.take().expect("one request is made");
            Response::new(Body::from_stream(ReceiverStream::new(body)))
        }
    };
    (serve(Router::new().fallback(any(handler))).await, chunks)
}

fn chunk(text: &'static str) -> Result<Bytes, std::io::Error> {
    Ok(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn paid_content_streams() {
    let (upstream, chunks) = streaming().await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await;
    let response = pay(Version::V2, gate.address, "/report", 1).await;
    assert_eq!(response.status(), 200);
    let mut content = response.bytes_stream();
    for text in ["one", "two", "three"] {
        // The next chunk is sent only once this one has come through: nothing may wait for more.
        chunks.send(chunk(text)).await.unwrap();
        let came = soon("the chunk", content.next()).await.unwrap().unwrap();
        assert_eq!(came, text);
    }
    drop(chunks);
    assert!(soon("the end", content.next()).await.is_none());
}

#[tokio::test]
async fn content_that_breaks_off_does_not_look_complete() {
    let (upstream, chunks) = streaming().await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await;
    let response = get(gate.address, "/free").await;
    chunks.send(chunk("one")).await.unwrap();
    let mut content = response.bytes_stream();
    assert_eq!(soon("the chunk", content.next()).await.unwrap().unwrap(), "one");
    chunks.send(Err(std::io::Error::other("broken"))).await.unwrap();
    assert!(soon("the break", content.next()).await.unwrap().is_err());
}

#[tokio::test]
async fn uploads_stream() {
    let (arrived, mut arrivals) = mpsc::channel(1);
    let handler = move |request: Request| async move {
        let mut body = request.into_body().into_data_stream();
        while let Some(Ok(part)) = body.next().await {
            arrived.send(part).await.unwrap();
        }
        "thanks"
    };
    let upstream = serve(Router::new().fallback(any(handler))).await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await;
    let asked = request(Method::POST, gate.address, "/report").send().await.unwrap();
    let offer = offer(Version::V1, asked).await;
    let (parts, body) = mpsc::channel(1);
    let sent = request(Method::POST, gate.address, "/report")
        .header("X-PAYMENT", payment(Version::V1, &offer, 1))
        .body(reqwest::Body::wrap_stream(ReceiverStream::new(body)))
        .send();
    let answer = tokio::spawn(sent);
    for text in ["one", "two"] {
        parts.send(chunk(text)).await.unwrap();
        assert_eq!(soon("the part", arrivals.recv()).await.unwrap(), text);
    }
    drop(parts);
    let answer = soon("the answer", answer).await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "thanks");
}

#[tokio::test]
async fn headers_of_one_hop_are_not_passed_on() {
    async fn echo(State(seen): State<Arc<Mutex<HeaderMap>>>, request: Request) -> Response {
        *seen.lock().await = request.headers().clone();
        let mut response = Response::new(Body::from("content"));
        response.headers_mut().insert("connection", "x-internal".parse().unwrap());
        response.headers_mut().insert("x-internal", "1".parse().unwrap());
        response.headers_mut().insert("keep-alive", "timeout=1".parse().unwrap());
        response
    }
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let app = Router::new().fallback(any(echo)).with_state(Arc::clone(&seen));
    let upstream = serve(app).await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await.address;
    let answer = raw(
        gate,
        "GET /free?a=%20b HTTP/1.1\r\nHost: shop.example\r\nConnection: close, X-Mine\r\n\
         X-Mine: 1\r\nUpgrade: websocket\r\nTE: trailers\r\nExpect: 100-continue\r\n\
         X-Kept: 2\r\n\r\n",
    )
    .await;
    assert!(answer.ends_with("content"), "{answer}");
    assert!(!answer.contains("x-internal") && !answer.contains("keep-alive"), "{answer}");
    let seen = seen.lock().await;
    for name in ["x-mine", "upgrade", "te", "expect", "connection"] {
        assert!(!seen.contains_key(name), "{name}");
    }
    assert_eq!(seen["x-kept"], "2");
    assert_eq!(seen["host"], upstream.to_string());
    assert_eq!(seen["x-forwarded-host"], "shop.example");
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    assert_eq!(seen["x-forwarded-proto"], "http");
}

/// A server that answers when told to, and says when it was asked.
struct Waiting {
    asked: Notify,
    go_on: Notify,
}

async fn waiting() -> (SocketAddr, Arc<Waiting>) {
    let waiting = Arc::new(Waiting { asked: Notify::new(), go_on: Notify::new() });
    let shared = Arc::clone(&waiting);
    let handler = move || {
        let waiting = Arc::clone(&shared);
        async move {
            waiting.asked.notify_one();
            waiting.go_on.notified().await;
            "content"
        }
    };
    (serve(Router::new().fallback(any(handler))).await, waiting)
}

fn before(upstream: SocketAddr) -> proxy::Options {
    proxy::Options::new(format!("http://{upstream}").parse().unwrap())
}

#[tokio::test]
async fn one_request_too_many_is_turned_away_at_once() {
    let (upstream, waiting) = waiting().await;
    let bounded = proxy::Options { requests_max: 1, ..before(upstream) };
    let gate = proxied_with(options(&Scripted::new(), "1 CCD"), bounded).await.address;
    let first = tokio::spawn(get(gate, "/free"));
    soon("the first request", waiting.asked.notified()).await;
    let second = get(gate, "/free").await;
    assert_eq!(second.status(), 503);
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(code(second).await, "overloaded");
    assert_eq!(get(gate, proxy::HEALTH_PATH).await.status(), 200, "the gate still lives");
    waiting.go_on.notify_one();
    let first = soon("the first answer", first).await.unwrap();
    assert_eq!(first.text().await.unwrap(), "content");
    waiting.go_on.notify_one();
    assert_eq!(get(gate, "/free").await.status(), 200, "the place is free again");
}

#[tokio::test]
async fn a_slow_upstream_costs_nothing() {
    let facilitator = Scripted::new();
    let (upstream, waiting) = waiting().await;
    let impatient =
        proxy::Options { response_timeout: Duration::from_millis(50), ..before(upstream) };
    let gate = proxied_with(options(&facilitator, "1 CCD"), impatient).await.address;
    let answer = pay(Version::V2, gate, "/report", 1).await;
    assert_eq!(answer.status(), 504);
    assert_eq!(code(answer).await, "upstream_unavailable");
    assert_eq!(facilitator.with(|state| (state.released, state.settled.len())), (1, 0));
    soon("the request at the upstream", waiting.asked.notified()).await;
}

#[tokio::test]
async fn requests_in_progress_are_finished_at_shutdown() {
    let (upstream, waiting) = waiting().await;
    let mut gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await;
    let offer = offer(Version::V2, get(gate.address, "/report").await).await;
    let paid = request(Method::GET, gate.address, "/report")
        .header("PAYMENT-SIGNATURE", payment(Version::V2, &offer, 1));
    let answer = tokio::spawn(paid.send());
    soon("the request", waiting.asked.notified()).await;
    gate.stop.take().unwrap().send(()).unwrap();
    waiting.go_on.notify_one();
    let answer = soon("the answer", answer).await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "content");
    soon("the end", gate.served).await.unwrap();
    assert!(reqwest::get(format!("http://{}/", gate.address)).await.is_err());
}

#[tokio::test]
async fn an_old_upstream_is_spoken_for_in_http_1_1() {
    let (listener, upstream) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4_096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\ncontent").await.unwrap();
    });
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await.address;
    let answer = get(gate, "/free").await;
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
    assert_eq!(answer.headers()["transfer-encoding"], "chunked");
    assert_eq!(answer.text().await.unwrap(), "content");
}

#[tokio::test]
async fn heads_that_are_too_long_are_not_read() {
    let upstream = serve(Router::new().fallback(any(|| async { "content" }))).await;
    let gate = proxied(options(&Scripted::new(), "1 CCD"), upstream).await.address;
    let long = request(Method::GET, gate, "/free").header("x-long", "a".repeat(256 * 1024));
    // The gate may close while the client is still sending; then there is no answer to read.
    if let Ok(answer) = long.send().await {
        assert_eq!(answer.status(), 431);
    }
}
