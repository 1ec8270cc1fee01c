//! What the server behind the gate sees, and what happens to a payment when it fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use ccd402_gate::gate::Gate;
use ccd402_gate::layer::GateLayer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::kit::facilitator::{PAYER, Scripted, Step};
use crate::kit::{
    BOTH, Version, code, get, layered, listener, offer, options, pay, payment, present, proxied,
    request, serve, soon,
};

/// A server that remembers the headers it got and answers with the statuses it was given.
#[derive(Default)]
struct Server {
    seen: Mutex<Vec<HeaderMap>>,
    statuses: Mutex<VecDeque<u16>>,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    server.seen.lock().unwrap().push(request.headers().clone());
    let status = server.statuses.lock().unwrap().pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).unwrap(), [("cache-control", "public")], "content")
        .into_response()
}

fn app(server: &Arc<Server>) -> Router {
    Router::new().fallback(any(answer)).with_state(Arc::clone(server))
}

#[tokio::test]
async fn a_payment_survives_an_upstream_that_fails() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let server = Arc::new(Server::default());
        server.statuses.lock().unwrap().extend([500, 503]);
        let gate = layered(options(&facilitator, "1 CCD"), app(&server)).await;
        let offer = offer(version, get(gate, "/report").await).await;
        let payment = payment(version, &offer, 1);
        for status in [500, 503, 200] {
            let answer = present(version, gate, "/report", &payment).await;
            assert_eq!(answer.status(), status);
        }
        assert_eq!(facilitator.with(|state| (state.released, state.settled.len())), (2, 1));
    }
}

#[tokio::test]
async fn answers_below_500_are_paid_for() {
    let facilitator = Scripted::new();
    let server = Arc::new(Server::default());
    server.statuses.lock().unwrap().push_back(404);
    let gate = layered(options(&facilitator, "1 CCD"), app(&server)).await;
    let answer = pay(Version::V2, gate, "/report", 1).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["cache-control"], "public", "the upstream knows better");
    assert_eq!(facilitator.with(|state| state.settled.len()), 1);
}

#[tokio::test]
async fn a_payment_survives_an_upstream_that_is_away() {
    let facilitator = Scripted::new();
    let (closed, nobody) = listener().await;
    drop(closed);
    let gate = proxied(options(&facilitator, "1 CCD"), nobody).await;
    let offer = offer(Version::V1, get(gate.address, "/report").await).await;
    let payment = payment(Version::V1, &offer, 1);
    for released in 1..=2 {
        let answer = present(Version::V1, gate.address, "/report", &payment).await;
        assert_eq!(answer.status(), 502);
        assert_eq!(code(answer).await, "upstream_unavailable");
        assert_eq!(facilitator.with(|state| state.released), released);
    }
    assert!(facilitator.with(|state| state.settled.is_empty()));
}

#[tokio::test]
async fn payments_do_not_leak_and_the_payer_is_announced() {
    let facilitator = Scripted::new();
    let server = Arc::new(Server::default());
    let upstream = serve(app(&server)).await;
    let gate = proxied(options(&facilitator, "1 CCD"), upstream).await;
    let offer = offer(Version::V2, get(gate.address, "/report").await).await;
    let answer = request(reqwest::Method::GET, gate.address, "/report")
        .header("PAYMENT-SIGNATURE", payment(Version::V2, &offer, 1))
        .header("X-PAYMENT", "something else")
        .header("X-Ccd402-Payer", "forged")
        .header("X-Ccd402-Payer", "forged again")
        .header("Connection", "X-Ccd402-Payer")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let seen = server.seen.lock().unwrap();
    assert!(!seen[0].contains_key("payment-signature") && !seen[0].contains_key("x-payment"));
    let payers: Vec<_> = seen[0].get_all("x-ccd402-payer").iter().collect();
    assert_eq!(payers, [PAYER]);
    let verification = seen[0]["x-ccd402-verification"].to_str().unwrap();
    assert!(verification.parse::<uuid::Uuid>().is_ok());
}

#[tokio::test]
async fn what_costs_nothing_passes_but_nobody_poses_as_a_payer() {
    let facilitator = Scripted::new();
    let server = Arc::new(Server::default());
    let gate = layered(options(&facilitator, "1 CCD"), app(&server)).await;
    let answer = request(reqwest::Method::GET, gate, "/free?x=1")
        .header("X-Ccd402-Verification", "forged")
        .header("X-Custom", "kept")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "public");
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen[0]["x-custom"], "kept");
    assert!(!seen[0].contains_key("x-ccd402-verification"));
    assert!(facilitator.with(|state| state.verified.is_empty()));
}

#[tokio::test]
async fn a_client_that_goes_away_gets_its_reservation_back() {
    let facilitator = Scripted::new();
    let reached = Arc::new(Notify::new());
    let reached_by_request = Arc::clone(&reached);
    let stuck = move || {
        reached_by_request.notify_one();
        std::future::pending::<&'static str>()
    };
    let gate = layered(options(&facilitator, "1 CCD"), Router::new().fallback(stuck)).await;
    let offer = offer(Version::V2, get(gate, "/report").await).await;
    let header = payment(Version::V2, &offer, 1);
    let mut client = TcpStream::connect(gate).await.unwrap();
    let head =
        format!("GET /report HTTP/1.1\r\nHost: {gate}\r\nPAYMENT-SIGNATURE: {header}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    soon("the request at the upstream", reached.notified()).await;
    assert_eq!(facilitator.with(|state| state.released), 0);
    drop(client);
    facilitator.until("the reservation given back", |state| state.released == 1).await;
    assert!(facilitator.with(|state| state.settled.is_empty()));
}

#[tokio::test]
async fn a_client_that_goes_away_while_its_payment_is_verified_gets_it_back_too() {
    let facilitator = Scripted::new();
    let server = Arc::new(Server::default());
    let mut options = options(&facilitator, "1 CCD");
    options.public_url = Some("http://shop.example".parse().unwrap());
    let service = app(&server).layer(GateLayer::new(Arc::new(Gate::new(options))));
    let gate = serve(service.clone()).await;
    let offer = offer(Version::V2, get(gate, "/report").await).await;
    let request = Request::get("/report")
        .header("PAYMENT-SIGNATURE", payment(Version::V2, &offer, 1))
        .body(Body::empty())
        .unwrap();
    let word = Arc::new(Notify::new());
    facilitator.next_verify(Step::Wait(Arc::clone(&word)));
    let client = tokio::spawn(service.oneshot(request));
    facilitator.until("the verification", |state| state.verified.len() == 1).await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    word.notify_one();
    facilitator.until("the reservation given back", |state| state.released == 1).await;
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn of_two_gates_with_one_payment_one_hands_out_content() {
    let facilitator = Scripted::new();
    let server = Arc::new(Server::default());
    let upstream = serve(app(&server)).await;
    let mut gates = Vec::new();
    for _ in 0..2 {
        let mut options = options(&facilitator, "1 CCD");
        options.public_url = Some("https://shop.example".parse().unwrap());
        gates.push(proxied(options, upstream).await);
    }
    for round in 0..20 {
        let version = BOTH[usize::from(round % 2)];
        let offer = offer(version, get(gates[0].address, "/report").await).await;
        let payment = payment(version, &offer, round);
        let [one, two] = [gates[0].address, gates[1].address]
            .map(|gate| present(version, gate, "/report", &payment));
        let (one, two) = tokio::join!(one, two);
        let mut statuses = [one.status().as_u16(), two.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 402], "round {round}");
    }
}
