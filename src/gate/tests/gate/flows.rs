//! Sponsored payments in both flows: content leaves once, and only for what is settled.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use ccd402_client::facilitator::Error;
use ccd402_gate::gate::Options;
use ccd402_gate::routes::{Route, Routes};
use ccd402_gate::ways::Flow;
use ccd402_protocol::header;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::kit::facilitator::{PAYER, Scripted, Step};
use crate::kit::sponsored::{
    closes_at, is_sponsored, offers, pay_sponsored, payload, sponsored, sponsored_offer,
    sponsored_until, sponsoring,
};
use crate::kit::{Version, code, get, layered, listener, options, present, proxied, route};

const FLOWS: [Flow; 2] = [Flow::Authorization, Flow::Upfront];

/// The server behind: what it was asked, and statuses to answer with.
#[derive(Default)]
struct Server {
    seen: Mutex<Vec<HeaderMap>>,
    statuses: Mutex<VecDeque<u16>>,
}

impl Server {
    fn app(self: &Arc<Self>) -> Router {
        Router::new().fallback(any(answer)).with_state(Arc::clone(self))
    }

    fn hits(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn fail_next(&self, status: u16) {
        self.statuses.lock().unwrap().push_back(status);
    }
}

async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    server.seen.lock().unwrap().push(headers);
    let status = server.statuses.lock().unwrap().pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).unwrap(), "content").into_response()
}

fn selling(facilitator: &Arc<Scripted>, flow: Flow) -> Options {
    let mut options = options(facilitator, "1 CCD");
    let open = ["/report", "/articles/*"].map(|path| Route { flow, ..route(path, "1 CCD") });
    options.routes = Routes::new(open.to_vec()).unwrap();
    options
}

fn receipt(response: &reqwest::Response) -> Value {
    header::decode(response.headers()["payment-response"].as_bytes()).unwrap()
}

/// Calls of `/verify` and `/settle`.
fn calls(facilitator: &Scripted) -> (usize, usize) {
    facilitator.with(|state| (state.verified.len(), state.settled.len()))
}

#[tokio::test]
async fn who_pays_sponsored_gets_the_content_and_a_receipt() {
    for (flow, verifications) in [(Flow::Authorization, 1), (Flow::Upfront, 0)] {
        let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
        let gate = layered(selling(&facilitator, flow), server.app()).await;
        let response = pay_sponsored(gate, "/report", 1).await;
        assert_eq!(response.status(), 200, "{flow:?}");
        assert_eq!(response.headers()["cache-control"], "private");
        assert_eq!(receipt(&response)["success"], true);
        assert_eq!(response.text().await.unwrap(), "content");
        assert_eq!(calls(&facilitator), (verifications, 1), "{flow:?}");
        let seen = server.seen.lock().unwrap();
        assert_eq!(seen[0]["x-ccd402-payer"], PAYER);
        assert!(seen[0].contains_key("x-ccd402-verification"));
        assert!(!seen[0].contains_key("payment-signature"));
    }
}

#[tokio::test]
async fn what_is_not_settled_gets_no_content() {
    let rows: [(Step, u16, &str, Option<&str>); 5] = [
        (Step::Refuse("preflight_insufficient_funds"), 402, "preflight_insufficient_funds", None),
        (Step::Refuse("duplicate_settlement"), 402, "duplicate_settlement", None),
        (Step::Refuse("Not a <code>"), 402, "unexpected_settle_error", None),
        (
            Step::Fail(Error::Refused { status: 500, code: None }),
            502,
            "facilitator_unavailable",
            None,
        ),
        (Step::Fail(Error::NotUnderstood("HTML".into())), 502, "facilitator_unavailable", None),
    ];
    for flow in FLOWS {
        for (step, status, expected, pause) in &rows {
            let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
            let gate = layered(selling(&facilitator, flow), server.app()).await;
            facilitator.next_settle(step.clone());
            let response = pay_sponsored(gate, "/report", 1).await;
            assert_eq!(response.status(), *status, "{flow:?} {expected}");
            let asked_to_wait = response.headers().get("retry-after");
            assert_eq!(asked_to_wait.map(|value| value.to_str().unwrap()), *pause);
            let is_refused = response.headers().contains_key("payment-response");
            assert_eq!(is_refused, *status == 402, "a refusal has its receipt");
            assert_eq!(code(response).await, *expected);
            let asked = usize::from(flow == Flow::Authorization);
            assert_eq!(server.hits(), asked, "{flow:?} {expected}");
        }
    }
}

#[tokio::test]
async fn a_settlement_that_is_not_final_can_be_asked_for_again() {
    for flow in FLOWS {
        let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
        let gate = layered(selling(&facilitator, flow), server.app()).await;
        for _ in 0..3 {
            facilitator.next_settle(Step::Pending);
        }
        let payment = sponsored(&sponsored_offer(gate, "/report").await, 1);
        let pending = present(Version::V2, gate, "/report", &payment).await;
        assert_eq!(pending.headers()["retry-after"], "1");
        assert_eq!(receipt(&pending)["transaction"], "ab".repeat(32));
        assert_eq!(code(pending).await, "settlement_pending");
        let again = present(Version::V2, gate, "/report", &payment).await;
        assert_eq!(again.status(), 200, "{flow:?}");
        facilitator.with(|state| {
            assert!(state.settled.iter().all(|request| *request == state.settled[0]));
        });
    }
}

#[tokio::test]
async fn of_many_requests_with_one_payment_one_gets_the_content() {
    for flow in FLOWS {
        let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
        let gate = layered(selling(&facilitator, flow), server.app()).await;
        let payment = sponsored(&sponsored_offer(gate, "/report").await, 1);
        let tries = (0..12).map(|_| present(Version::V2, gate, "/report", &payment));
        let mut contents = 0;
        for response in join_all(tries).await {
            contents += usize::from(response.status() == 200);
            let text = response.text().await.unwrap();
            assert!(text == "content" || !text.contains("content"), "{text}");
        }
        assert_eq!(contents, 1, "{flow:?}");
        if flow == Flow::Upfront {
            assert_eq!(server.hits(), 1, "who has not paid is not let in");
        }
    }
}

#[tokio::test]
async fn with_authorization_nobody_pays_for_a_server_that_fails() {
    let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
    let gate = layered(selling(&facilitator, Flow::Authorization), server.app()).await;
    server.fail_next(500);
    let payment = sponsored(&sponsored_offer(gate, "/report").await, 1);
    let failed = present(Version::V2, gate, "/report", &payment).await;
    assert_eq!(failed.status(), 500);
    assert!(!failed.headers().contains_key("payment-response"));
    assert_eq!(facilitator.with(|state| (state.settled.len(), state.released)), (0, 1));
    assert_eq!(present(Version::V2, gate, "/report", &payment).await.status(), 200);
}

#[tokio::test]
async fn upfront_a_failure_carries_the_receipt_and_the_payment_is_spent() {
    let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
    let gate = layered(selling(&facilitator, Flow::Upfront), server.app()).await;
    server.fail_next(503);
    let payment = sponsored(&sponsored_offer(gate, "/report").await, 1);
    let failed = present(Version::V2, gate, "/report", &payment).await;
    assert_eq!(failed.status(), 503);
    assert_eq!(receipt(&failed)["success"], true);
    let again = present(Version::V2, gate, "/report", &payment).await;
    assert_eq!(code(again).await, "duplicate_settlement");
    assert_eq!(server.hits(), 1, "one payment, one request");
}

#[tokio::test]
async fn upfront_a_server_that_is_away_is_answered_with_the_receipt_too() {
    let facilitator = sponsoring();
    let (closed, nobody) = listener().await;
    drop(closed);
    let gate = proxied(selling(&facilitator, Flow::Upfront), nobody).await.address;
    let answer = pay_sponsored(gate, "/report", 1).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(receipt(&answer)["success"], true);
    assert_eq!(code(answer).await, "upstream_unavailable");
}

#[tokio::test]
async fn an_offer_is_settled_in_the_flow_that_it_was_made_with() {
    for (made, changed) in [(FLOWS[0], FLOWS[1]), (FLOWS[1], FLOWS[0])] {
        let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
        let before = layered(selling(&facilitator, made), server.app()).await;
        let mut options = selling(&facilitator, changed);
        options.public_url = Some(format!("http://{before}").parse().unwrap());
        let after = layered(options, server.app()).await;
        let offer = sponsored_offer(before, "/report").await;
        let paid = present(Version::V2, after, "/report", &sponsored(&offer, 1)).await;
        assert_eq!(paid.status(), 200);
        let verifications = usize::from(made == Flow::Authorization);
        assert_eq!(calls(&facilitator), (verifications, 1));
    }
}

#[tokio::test]
async fn offers_that_were_changed_are_not_ours() {
    let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
    let gate = layered(selling(&facilitator, Flow::Upfront), server.app()).await;
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("another flow", |offer| offer["extra"]["paymentFlow"] = json!("authorization")),
        ("no flow", |offer| drop(offer["extra"].as_object_mut().unwrap().remove("paymentFlow"))),
        ("another fee payer", |offer| offer["extra"]["feePayer"] = json!(PAYER)),
        ("another way", |offer| offer["extra"]["assetTransferMethod"] = json!("transaction-hash")),
        ("cheaper", |offer| offer["amount"] = json!("1")),
        ("longer", |offer| offer["maxTimeoutSeconds"] = json!(86_400)),
    ];
    for (what, change) in changes {
        let genuine = sponsored_offer(gate, "/report").await;
        let mut forged = genuine.clone();
        change(&mut forged);
        let payment = sponsored_until(&forged, 1, closes_at(&genuine));
        let answer = present(Version::V2, gate, "/report", &payment).await;
        assert_eq!(answer.status(), 402, "{what}");
        assert_eq!(code(answer).await, "challenge_not_ours", "{what}");
    }
    let elsewhere = sponsored_offer(gate, "/articles/1").await;
    let answer = present(Version::V2, gate, "/report", &sponsored(&elsewhere, 1)).await;
    assert_eq!(code(answer).await, "challenge_not_ours");
    assert_eq!((calls(&facilitator), server.hits()), ((0, 0), 0));
}

#[tokio::test]
async fn an_old_offer_cannot_be_paid_for_ever() {
    let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
    let gate = layered(selling(&facilitator, Flow::Authorization), server.app()).await;
    let offer = sponsored_offer(gate, "/report").await;
    let latest = closes_at(&offer) + offer["maxTimeoutSeconds"].as_u64().unwrap();
    let late = sponsored_until(&offer, 1, latest + 1);
    let answer = present(Version::V2, gate, "/report", &late).await;
    assert_eq!(answer.status(), 402);
    assert_eq!(code(answer).await, "challenge_expired");
    assert_eq!((calls(&facilitator), server.hits()), ((0, 0), 0));
    // Who signs in the offer's last second may say the whole time that is allowed.
    let in_time = sponsored_until(&offer, 1, latest);
    assert_eq!(present(Version::V2, gate, "/report", &in_time).await.status(), 200);
}

#[tokio::test]
async fn a_payment_of_the_other_kind_is_malformed() {
    let (facilitator, server) = (sponsoring(), Arc::<Server>::default());
    let gate = layered(selling(&facilitator, Flow::Authorization), server.app()).await;
    let all = offers(&get(gate, "/report").await);
    let [sponsored_one, by_hash] = &all[..] else { panic!("two offers: {all:?}") };
    assert!(is_sponsored(sponsored_one) && !is_sponsored(by_hash));
    let until = closes_at(sponsored_one);
    let v2 = |offer: &Value, payload: Value| json!({ "x402Version": 2, "accepted": offer, "payload": payload });
    let hash = json!({ "txHash": "ab".repeat(32), "sender": PAYER, "binding": { "type": "memo" } });
    let mut echoed = payload(sponsored_one, 1, until);
    echoed["binding"] = json!({ "accepted": sponsored_one });
    let network = "concordium-testnet";
    let v1 = json!({ "x402Version": 1, "scheme": "exact", "network": network, "payload": echoed });
    let rows = [
        (Version::V2, v2(sponsored_one, hash), "invalid_transaction_format"),
        (Version::V2, v2(by_hash, payload(sponsored_one, 1, until)), "invalid_payload"),
        (Version::V1, v1, "invalid_payment_requirements"),
    ];
    for (version, payment, expected) in rows {
        let payment = header::encode(&payment).unwrap();
        let answer = present(version, gate, "/report", &payment).await;
        assert_eq!(answer.status(), 400, "{expected}");
        assert_eq!(code(answer).await, expected);
    }
    assert_eq!((calls(&facilitator), server.hits()), ((0, 0), 0));
}
