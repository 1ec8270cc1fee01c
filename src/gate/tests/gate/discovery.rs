//! Routes that strangers may find: what their 402 declares, and what the facilitator is told.

use axum::Router;
use axum::routing::get as on_get;
use ccd402_gate::gate::Options;
use ccd402_gate::routes::{Route, Routes};
use ccd402_protocol::header;
use serde_json::{Value, json};

use crate::kit::facilitator::Scripted;
use crate::kit::{BOTH, Version, get, layered, offer, options, payment, present, route};

const PUBLIC: &str = "https://shop.example";

fn app() -> Router {
    Router::new().fallback(on_get(|| async { "content" }))
}

/// A gate before `/report`, which may be found, and `/articles/*`, which may not.
fn selling(facilitator: &std::sync::Arc<Scripted>) -> Options {
    let routes = vec![
        Route { discoverable: true, ..route("/report", "1 CCD") },
        route("/articles/*", "1 CCD"),
    ];
    let routes = Routes::new(routes).unwrap();
    let public_url = Some(PUBLIC.parse().unwrap());
    Options { routes, public_url, ..options(facilitator, "1 CCD") }
}

/// The 402's header and its body.
async fn demand(options: Options, path: &str) -> (Value, Value) {
    let response = get(layered(options, app()).await, path).await;
    let v2 = header::decode(response.headers()["payment-required"].as_bytes()).unwrap();
    (v2, response.json().await.unwrap())
}

#[tokio::test]
async fn only_what_is_discoverable_declares_so() {
    let facilitator = Scripted::new();
    let (v2, v1) = demand(selling(&facilitator), "/report").await;
    let bazaar = &v2["extensions"]["bazaar"];
    let info =
        json!({ "input": { "type": "http", "method": "GET" }, "output": { "type": "text" } });
    assert_eq!(bazaar["info"], info);
    assert_eq!(bazaar["schema"]["required"], json!(["input"]));
    let input = json!({ "type": "http", "method": "GET", "discoverable": true });
    assert_eq!(v1["accepts"][0]["outputSchema"], json!({ "input": input }));
    let (v2, v1) = demand(selling(&facilitator), "/articles/1").await;
    assert_eq!((v2.get("extensions"), v1["accepts"][0].get("outputSchema")), (None, None));
}

#[tokio::test]
async fn without_a_public_url_nothing_is_declared() {
    let facilitator = Scripted::new();
    let hidden = Options { public_url: None, ..selling(&facilitator) };
    let (v2, v1) = demand(hidden, "/report").await;
    assert_eq!((v2.get("extensions"), v1["accepts"][0].get("outputSchema")), (None, None));
}

#[tokio::test]
async fn the_facilitator_hears_the_seller_whatever_the_payer_echoes() {
    let facilitator = Scripted::new();
    let gate = layered(selling(&facilitator), app()).await;
    let forged = json!({ "info": { "input": { "type": "http", "method": "DELETE" } } });
    for (number, path) in [(1, "/report"), (2, "/articles/1")] {
        let offer = offer(Version::V2, get(gate, path).await).await;
        let mut payload: Value =
            header::decode(payment(Version::V2, &offer, number).as_bytes()).unwrap();
        payload["extensions"] = json!({ "bazaar": forged, "other": { "info": 1 } });
        payload["resource"] = json!({ "url": format!("{PUBLIC}{path}"), "description": "Free!" });
        let paid = present(Version::V2, gate, path, &header::encode(&payload).unwrap()).await;
        assert_eq!(paid.status(), 200, "{path}");
    }
    let told = facilitator.with(|state| state.verified.clone());
    let payload = |at: usize| &told[at].payment_payload;
    assert_eq!(payload(0)["extensions"]["bazaar"]["info"]["input"]["method"], "GET");
    assert_eq!(payload(0)["extensions"]["other"]["info"], 1);
    assert_eq!(payload(0)["resource"]["description"], "A report");
    assert_eq!(payload(0)["resource"]["url"], format!("{PUBLIC}/report"));
    assert_eq!(payload(1)["extensions"], json!({ "other": { "info": 1 } }));
}

#[tokio::test]
async fn who_echoes_nothing_pays_all_the_same() {
    for version in BOTH {
        let facilitator = Scripted::new();
        let gate = layered(selling(&facilitator), app()).await;
        let offer = offer(version, get(gate, "/report").await).await;
        let paid = present(version, gate, "/report", &payment(version, &offer, 1)).await;
        assert_eq!(paid.status(), 200);
        let told = facilitator.with(|state| state.verified[0].clone());
        match version {
            Version::V1 => assert!(told.payment_requirements["outputSchema"].is_object()),
            Version::V2 => assert!(told.payment_payload["extensions"]["bazaar"].is_object()),
        }
    }
}

#[tokio::test]
async fn another_resource_that_a_payer_names_stays_named() {
    let facilitator = Scripted::new();
    let gate = layered(selling(&facilitator), app()).await;
    let offer = offer(Version::V2, get(gate, "/report").await).await;
    let mut payload: Value = header::decode(payment(Version::V2, &offer, 1).as_bytes()).unwrap();
    payload["resource"] = json!({ "url": "https://evil.example/" });
    present(Version::V2, gate, "/report", &header::encode(&payload).unwrap()).await;
    let told = facilitator.with(|state| state.verified[0].clone());
    assert_eq!(told.payment_payload["resource"], json!({ "url": "https://evil.example/" }));
}
