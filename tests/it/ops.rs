//! The operations port: metrics tell what happened, readiness follows the node.

use std::path::Path;
use std::time::Duration;

use ccd402_simchain::{Options, SimChain};
use reqwest::StatusCode;
use serde_json::Value;

use crate::payments::{Seller, Terms};
use crate::process::{Process, arg};

fn options(dir: &Path) -> Options {
    Options {
        data_dir: Some(dir.join("chain")),
        block_time: Duration::from_millis(250),
        finality_delay: Duration::from_millis(250),
        ..Options::default()
    }
}

struct Ops {
    url: String,
    http: reqwest::Client,
}

impl Ops {
    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Until readiness answers so, and says this of the node.
    async fn ready(&self, status: StatusCode, node: &str) {
        let waited = tokio::time::timeout(Duration::from_secs(120), async {
            loop {
                let (found, body) = self.get("/readyz").await;
                let body: Value = serde_json::from_str(&body).unwrap();
                if found == status && body["parts"]["node"] == node {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "never {status} with {node}: {:?}",
            self.get("/readyz").await
        );
    }

    /// The value of the first sample that begins so.
    async fn sample(&self, begins: &str) -> f64 {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, StatusCode::OK);
        let line = text.lines().find(|line| line.starts_with(begins));
        let line = line.unwrap_or_else(|| panic!("no {begins} in\n{text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_happened_and_readiness_follows_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let chain = SimChain::start(options(dir.path())).await.unwrap();
    let (data, node, listen) = (dir.path().join("data"), chain.url(), chain.addr());
    let any = "127.0.0.1:0";
    let serve = ["serve", "--data-dir", arg(&data), "--listen", any, "--node", &node];
    let (process, started) = Process::serve(&[&serve[..], &["--ops-listen", any]].concat()).await;
    let url = started["url"].as_str().unwrap();
    let http = reqwest::Client::new();
    let ops = Ops { url: started["ops"].as_str().unwrap().to_owned(), http: http.clone() };
    ops.ready(StatusCode::OK, "ok").await;
    assert_eq!(ops.get("/livez").await.0, StatusCode::OK);

    let seller = Seller::open(&chain).await;
    let payer = seller.payer(&chain, 100).await;
    let adults_only = Terms { adults_only: true, ..Terms::default() };
    let payment = seller.paid(&payer, adults_only).await;
    // The same payment twice: one is confirmed, the other's claim is lost.
    for _ in 0..2 {
        let submit = http.post(format!("{url}/v1/verifications")).json(&payment.request);
        let path = submit.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
        http.get(format!("{url}{path}?wait=60s")).send().await.unwrap();
    }
    assert_eq!(http.get(format!("{url}/v1/nothing")).send().await.unwrap().status(), 404);

    let confirmed = r#"ccd402_verifications_total{outcome="confirmed",code=""}"#;
    assert_eq!(ops.sample(confirmed).await, 1.0);
    let failed = r#"ccd402_verifications_total{outcome="failed",code="payment_already_used"}"#;
    assert_eq!(ops.sample(failed).await, 1.0);
    assert_eq!(ops.sample("ccd402_decision_seconds_count").await, 2.0);
    assert!(ops.sample(r#"ccd402_identity_check_seconds_count{result="holds"}"#).await >= 1.0);
    let submits = r#"ccd402_http_request_seconds_count{method="POST",route="/v1/verifications""#;
    assert_eq!(ops.sample(submits).await, 2.0);
    let unknown = r#"ccd402_http_problems_total{code="route_not_found"}"#;
    assert_eq!(ops.sample(unknown).await, 1.0);
    assert_eq!(ops.sample(r#"ccd402_events_total{type="VerificationRequested"}"#).await, 2.0);
    for positive in [
        "ccd402_log_position",
        "ccd402_log_sync_seconds_count",
        "ccd402_log_sync_events_count",
        "ccd402_follower_height",
    ] {
        assert!(ops.sample(positive).await >= 1.0, "{positive}");
    }
    assert!(ops.sample("ccd402_follower_lag_seconds").await < 60.0);
    let (_, all) = ops.get("/metrics").await;
    let id = payment.hash.to_string();
    assert!(!all.contains(&id), "no label names a thing");

    chain.shutdown().await;
    ops.ready(StatusCode::SERVICE_UNAVAILABLE, "node_unavailable").await;
    assert_eq!(ops.get("/livez").await.0, StatusCode::OK);
    let again = SimChain::start(Options { listen, ..options(dir.path()) }).await.unwrap();
    ops.ready(StatusCode::OK, "ok").await;
    assert!(process.terminate().await.success());
    again.shutdown().await;
}
