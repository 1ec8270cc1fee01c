//! What the gate offers, and which offers it takes back.

use axum::Router;
use axum::routing::get as on_get;
use ccd402_domain::preset::Preset;
use ccd402_gate::gate::network_of;
use ccd402_gate::routes::Routes;
use ccd402_gate::secret::Secret;
use ccd402_protocol::header;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::facilitator::Scripted;
use crate::kit::{
    BOTH, Version, code, get, layered, offer, options, pay, payment, present, request, route,
};

fn app() -> Router {
    Router::new().fallback(on_get(|| async { "content" }).post(|| async { "posted" }))
}

#[tokio::test]
async fn the_first_answer_offers_both_versions() {
    let gate = layered(options(&Scripted::new(), "1.5 CCD"), app()).await;
    let response = get(gate, "/report?year=2026").await;
    let url = format!("http://{gate}/report?year=2026");
    let v2: Value = header::decode(response.headers()["payment-required"].as_bytes()).unwrap();
    assert_eq!(v2["x402Version"], 2);
    assert_eq!(v2["resource"]["url"], url);
    assert_eq!(v2["resource"]["mimeType"], "text/plain");
    assert_eq!(v2["accepts"][0]["amount"], "1500000");
    assert_eq!(v2["accepts"][0]["maxTimeoutSeconds"], 300);
    assert_eq!(v2["accepts"][0]["extra"]["consumeOn"], "settle");
    assert_eq!(v2["accepts"][0]["extra"]["resource"], url);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.status(), 402);
    let v1: Value = response.json().await.unwrap();
    assert_eq!(v1["x402Version"], 1);
    assert_eq!(v1["error"], "X-PAYMENT header is required");
    assert_eq!(v1["accepts"][0]["maxAmountRequired"], "1500000");
    assert_eq!(v1["accepts"][0]["resource"], url);
}

#[tokio::test]
async fn who_pays_gets_the_content_and_a_receipt() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let gate = layered(options(&facilitator, "1.5 CCD"), app()).await;
        let response = pay(version, gate, "/report", 1).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "private");
        let receipt = response.headers()[version.response_header()].as_bytes();
        let receipt: Value = header::decode(receipt).unwrap();
        assert_eq!(receipt["success"], true);
        assert_eq!(response.text().await.unwrap(), "content");
        facilitator.with(|state| {
            assert_eq!(state.verified, state.settled, "both are asked the same");
            assert_eq!(state.released, 0);
        });
    }
}

#[tokio::test]
async fn a_payment_buys_once() {
    for version in BOTH {
        let gate = layered(options(&Scripted::new(), "1 CCD"), app()).await;
        let offer = offer(version, get(gate, "/report").await).await;
        let payment = payment(version, &offer, 1);
        assert_eq!(present(version, gate, "/report", &payment).await.status(), 200);
        let again = present(version, gate, "/report", &payment).await;
        assert_eq!(code(again).await, "payment_already_used");
    }
}

#[tokio::test]
async fn an_offer_is_honoured_after_prices_have_changed() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let before = layered(options(&facilitator, "1 CCD"), app()).await;
        let public = || Some(format!("http://{before}").parse().unwrap());
        let mut dearer = options(&facilitator, "2 CCD");
        dearer.public_url = public();
        let after = layered(dearer, app()).await;
        let old = offer(version, get(before, "/report").await).await;
        let response = present(version, after, "/report", &payment(version, &old, 1)).await;
        assert_eq!(response.status(), 200);
        let asked = facilitator.with(|state| state.verified[0].payment_requirements.clone());
        assert_eq!(asked, old, "the facilitator is asked about the offer that was accepted");
    }
}

#[tokio::test]
async fn offers_that_are_not_ours_are_refused_before_anybody_is_asked() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let gate = layered(options(&facilitator, "1 CCD"), app()).await;
        let mut foreign_options = options(&facilitator, "1 CCD");
        foreign_options.secret = Secret::new(vec![1; 32]).unwrap();
        foreign_options.public_url = Some(format!("http://{gate}").parse().unwrap());
        let foreign = layered(foreign_options, app()).await;
        let genuine = offer(version, get(gate, "/report").await).await;
        let mut cheaper = genuine.clone();
        let amount = if version == Version::V1 { "maxAmountRequired" } else { "amount" };
        cheaper[amount] = json!("1");
        let mut resealed = genuine.clone();
        resealed["extra"]["challenge"] = json!("A".repeat(86));
        let rows = [
            ("cheaper", cheaper),
            ("another seal", resealed),
            ("another gate's", offer(version, get(foreign, "/report").await).await),
            ("another path's", offer(version, get(gate, "/articles/1").await).await),
            ("another query's", offer(version, get(gate, "/report?x=1").await).await),
            ("another method's", {
                let answer = request(Method::POST, gate, "/report").send().await.unwrap();
                offer(version, answer).await
            }),
            ("none", json!({})),
        ];
        for (what, offer) in rows {
            let answer = present(version, gate, "/report", &payment(version, &offer, 1)).await;
            assert_eq!(answer.status(), 402, "{what}");
            assert_eq!(code(answer).await, "challenge_not_ours", "{what}");
        }
        assert!(facilitator.with(|state| state.verified.is_empty()));
    }
}

#[tokio::test]
async fn malformed_payments_are_refused_with_400() {
    let facilitator = Scripted::new();
    let gate = layered(options(&facilitator, "1 CCD"), app()).await;
    let offer = offer(Version::V2, get(gate, "/report").await).await;
    let no_hash = json!({ "x402Version": 2, "accepted": offer, "payload": {} });
    let no_offer = json!({ "x402Version": 2, "payload": {} });
    let other_version = json!({ "x402Version": 1, "accepted": offer, "payload": {} });
    let rows = [
        (String::new(), "invalid_payload"),
        ("%%%".to_owned(), "invalid_payload"),
        ("bm90IGpzb24=".to_owned(), "invalid_payload"),
        ("W10=".to_owned(), "invalid_payload"),
        ("A".repeat(33 * 1024), "invalid_payload"),
        (header::encode(&no_hash).unwrap(), "invalid_payload"),
        (header::encode(&no_offer).unwrap(), "invalid_payload"),
        (header::encode(&other_version).unwrap(), "invalid_x402_version"),
    ];
    for (header, expected) in rows {
        let answer = present(Version::V2, gate, "/report", &header).await;
        assert_eq!(answer.status(), 400, "{expected}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(code(answer).await, expected);
    }
    let good = payment(Version::V2, &offer, 1);
    let twice = request(Method::GET, gate, "/report")
        .header("PAYMENT-SIGNATURE", &good)
        .header("PAYMENT-SIGNATURE", &good);
    assert_eq!(code(twice.send().await.unwrap()).await, "invalid_payload");
    assert!(facilitator.with(|state| state.verified.is_empty()));
}

#[tokio::test]
async fn what_must_be_proven_is_said_in_both_places() {
    let facilitator = Scripted::new();
    let mut options = options(&facilitator, "1 CCD");
    let mut adults = route("/report", "1 CCD");
    adults.identity = Preset { min_age: Some(18), ..Preset::default() };
    options.routes = Routes::new(vec![adults]).unwrap();
    let gate = layered(options, app()).await;
    let response = get(gate, "/report").await;
    let v2: Value = header::decode(response.headers()["payment-required"].as_bytes()).unwrap();
    let v1: Value = response.json().await.unwrap();
    let info = &v2["extensions"]["concordium-identity"]["info"];
    assert_eq!(info["statement"][0]["type"], "AttributeInRange");
    assert_eq!(info["statement"][0]["attributeTag"], "dob");
    assert_eq!(v2["accepts"][0]["extra"]["identity"], *info);
    assert_eq!(v1["accepts"][0]["extra"]["identity"], *info);
}

#[tokio::test]
async fn the_network_is_the_one_that_the_facilitator_serves() {
    let network = network_of(&*Scripted::new()).await.unwrap();
    assert_eq!(network.as_str(), "ccd:4221332d34e1694168c2a0c0b3fd0f27");
}
