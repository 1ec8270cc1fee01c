//! `GET /health` and `GET /supported`.

use std::time::Duration;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::log::Fault;
use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer};

#[tokio::test]
async fn health_says_what_is_amiss() {
    let api = TestApi::start().await;
    let ask = || answer(api.get("/health"));
    let amiss = |status| (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": status }));
    assert_eq!(ask().await, amiss("node_unavailable"));
    api.health.followed(1);
    assert_eq!(ask().await, (StatusCode::OK, json!({ "status": "ok" })));
    api.health.halted();
    assert_eq!(ask().await, amiss("follower_halted"));
    api.log.fail(Fault::Broken);
    api.post("/verify", &Purchase::new(1).request()).send().await.unwrap();
    assert_eq!(ask().await, amiss("log_unavailable"));
}

#[tokio::test]
async fn a_follower_that_sees_no_block_is_not_healthy() {
    let options = Options { block_age_max: Duration::ZERO, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    api.health.followed(1);
    let (status, health) = answer(api.get("/health")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(health, json!({ "status": "node_unavailable" }));
}

#[tokio::test]
async fn readiness_says_each_part_and_liveness_nothing() {
    let api = TestApi::start().await;
    let ask = || answer(api.get("/readyz"));
    let (status, told) = ask().await;
    assert_eq!((status, &told["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("starting")));
    api.readiness.report("log", None);
    api.readiness.report("node", Some("node_unavailable"));
    let parts = json!({ "log": "ok", "node": "node_unavailable" });
    let amiss = json!({ "status": "node_unavailable", "parts": parts });
    assert_eq!(ask().await, (StatusCode::SERVICE_UNAVAILABLE, amiss));
    let live = api.get("/livez").send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    api.readiness.report("node", None);
    let ready = json!({ "status": "ok", "parts": { "log": "ok", "node": "ok" } });
    assert_eq!(ask().await, (StatusCode::OK, ready));
}

#[tokio::test]
async fn both_versions_are_supported() {
    let api = TestApi::start().await;
    let extra = json!({ "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront" });
    let network = Purchase::network();
    let expected = json!({
        "kinds": [
            { "x402Version": 1, "scheme": "exact", "network": network, "extra": extra },
            { "x402Version": 2, "scheme": "exact", "network": network, "extra": extra },
        ],
        "extensions": ["concordium-identity", "payment-identifier", "bazaar"],
        "signers": { "ccd:*": [] },
    });
    assert_eq!(answer(api.get("/supported")).await, (StatusCode::OK, expected));
}
