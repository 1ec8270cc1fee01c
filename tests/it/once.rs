//! One payment, one content, however many ask at once.

use std::sync::Arc;

use ccd402::devnet::shop::{self, ARTICLE, FLAKY};
use ccd402_gate::layer::GateLayer;
use ccd402_protocol::header;
use futures::future::join_all;
use serde_json::Value;
use tower::Layer as _;

use crate::support::{TestApp, verify_request};

const AT_ONCE: usize = 1_000;

/// The offer as a server would make it that never calls `/settle`.
fn consumed_on_verify(app: &TestApp, offer: &ccd402::devnet::hand::Offer) -> Value {
    let mut bare = offer.raw.clone();
    let extra = bare["extra"].as_object_mut().unwrap();
    extra.insert("consumeOn".into(), "verify".into());
    let challenge = extra.remove("challenge").unwrap();
    let challenge: ccd402_domain::challenge::Challenge =
        challenge.as_str().unwrap().parse().unwrap();
    app.net.sealer().seal(bare, &offer.resource, challenge.window, [5; 16]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_verifies_of_one_payment_one_is_valid() {
    let app = TestApp::start().await;
    let payer = app.adult().await;
    let asked = payer.offer(&app.shop(ARTICLE)).await.unwrap();
    for consume_on in ["verify", "settle"] {
        let offer = match consume_on {
            "verify" => {
                let raw = consumed_on_verify(&app, &asked);
                ccd402::devnet::hand::Offer::read(raw, "GET").unwrap()
            }
            _ => asked.clone(),
        };
        let payment = payer.pay(&offer).await.unwrap();
        let body = verify_request(&offer, &payment);
        let answers = join_all((0..AT_ONCE).map(|_| app.ask("/verify", &body))).await;
        let valid = answers.iter().filter(|answer| answer["isValid"] == true).count();
        assert_eq!(valid, 1, "{consume_on}");
        for answer in answers.iter().filter(|answer| answer["isValid"] == false) {
            assert_eq!(answer["invalidReason"], "payment_already_used", "{consume_on}: {answer}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_settles_of_one_payment_one_succeeds() {
    let app = TestApp::start().await;
    let payer = app.adult().await;
    let offer = payer.offer(&app.shop(ARTICLE)).await.unwrap();
    let payment = payer.pay(&offer).await.unwrap();
    let body = verify_request(&offer, &payment);
    let answers = join_all((0..100).map(|_| app.ask("/settle", &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer["success"] == true).count(), 1);
    for answer in answers.iter().filter(|answer| answer["success"] == false) {
        assert_eq!(answer["errorReason"], "duplicate_settlement");
        assert_eq!(answer["transaction"], payment["payload"]["txHash"]);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gates_at_once_give_one_content() {
    let app = TestApp::start().await;
    let payer = app.adult().await;
    let mut gates = vec![app.net.gate_url().to_owned()];
    // A second gate with the same secret, this one as a layer inside the shop itself. Both name the
    // resource by the Host that the payer asked for.
    let gate = Arc::new(app.net.gate().unwrap());
    let shop = GateLayer::new(gate).layer(shop::router().into_service());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    gates.push(format!("http://{}", listener.local_addr().unwrap()));
    let served = axum::Router::new().fallback_service(shop);
    let second = tokio::spawn(async move { axum::serve(listener, served).await });
    let host = gates[0].trim_start_matches("http://").to_owned();

    for _ in 0..5 {
        let offer = payer.offer(&app.shop(ARTICLE)).await.unwrap();
        let payment = payer.pay(&offer).await.unwrap();
        let header = header::encode(&payment).unwrap();
        let present = |gate: &String| {
            let url = format!("{gate}{ARTICLE}");
            let request = app.http.get(url).header("host", &host).header("x-payment", &header);
            async move { request.send().await.unwrap().status().as_u16() }
        };
        let statuses = join_all(gates.iter().chain(&gates).chain(&gates).map(present)).await;
        let contents = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(contents, 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
    }
    second.abort();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails_does_not_use_the_payment_up() {
    let app = TestApp::start().await;
    let payer = app.adult().await;
    let url = app.shop(FLAKY);
    let offer = payer.offer(&url).await.unwrap();
    let payment = payer.pay(&offer).await.unwrap();
    assert_eq!(payer.present(&url, &payment).await.unwrap().status, 500);
    assert_eq!(payer.present(&url, &payment).await.unwrap().status, 200);
    let third = payer.present(&url, &payment).await.unwrap();
    assert_eq!((third.status, third.code.as_str()), (402, "payment_already_used"));
    app.stop().await;
}
