//! What the tests share: a devnet, and calls of the facilitator's API.

use ccd402::devnet::hand::{Hand, Offer};
use ccd402::devnet::{Devnet, Options};
use ccd402_simchain::{Funds, IdentitySpec};
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// A devnet in a directory of its own.
pub(crate) struct TestApp {
    pub(crate) net: Devnet,
    pub(crate) http: reqwest::Client,
    dir: TempDir,
}

impl TestApp {
    /// Starts everything, with a quick chain.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::quick(dir.path().to_owned());
        options.block_time = Duration::from_millis(250);
        options.finality_delay = Duration::from_millis(250);
        let net = Devnet::start(options).await.unwrap();
        Self { net, http: reqwest::Client::new(), dir }
    }

    /// Somebody born in 1990 with 1,000 CCD and 100 of each token.
    pub(crate) async fn adult(&self) -> Hand {
        let funds = Funds::ccd(1_000).token("EURR", 100_000_000).token("USDR", 100_000_000);
        self.net.hand(IdentitySpec::default(), funds).await.unwrap()
    }

    /// URL of a path behind the gate.
    pub(crate) fn shop(&self, path: &str) -> String {
        format!("{}{path}", self.net.gate_url())
    }

    /// URL of a path of the facilitator.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{path}", self.net.facilitator().url())
    }

    /// Posts JSON to the facilitator.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.http.post(self.api(path)).json(body).send().await.unwrap()
    }

    /// Posts JSON and reads the JSON of the answer.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Value {
        self.post(path, body).await.json().await.unwrap()
    }

    /// A verification once it is decided.
    pub(crate) async fn decided(&self, location: &str) -> Value {
        for _ in 0..60 {
            let url = self.api(&format!("{location}?wait=10s"));
            let state: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
            if state["status"] != "pending" {
                return state;
            }
        }
        panic!("{location} is still pending");
    }

    pub(crate) async fn stop(self) {
        self.net.stop().await.unwrap();
        drop(self.dir);
    }
}

/// A VerifyRequest of v1.
pub(crate) fn verify_request(offer: &Offer, payload: &Value) -> Value {
    json!({ "x402Version": 1, "paymentPayload": payload, "paymentRequirements": offer.raw })
}
