//! A small resource server that gives nothing before the real facilitator has verified and settled.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_protocol::header;
use serde_json::{Value, json};

use super::kit::Stage;

/// What the shop sells.
pub(crate) const CONTENT: &str = "a report";

/// A resource server of x402 v2: every path costs the same, and names itself.
#[derive(Clone)]
pub(crate) struct Shop {
    url: String,
    facilitator: String,
    http: reqwest::Client,
    offers: Arc<Vec<Value>>,
    /// Seconds that `/settle` may take; then the payer hears that it is pending.
    settle_wait_s: u32,
    /// Payment headers as they came.
    pub(crate) presented: Arc<Mutex<Vec<String>>>,
    /// What each was told: a code, or nothing.
    pub(crate) told: Arc<Mutex<Vec<Option<String>>>>,
}

impl Shop {
    pub(crate) async fn open(stage: &Stage, assets: &[&str], settle_wait_s: u32) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            facilitator: stage.running.url(),
            http: stage.http.clone(),
            offers: Arc::new(assets.iter().map(|asset| stage.offer(asset)).collect()),
            settle_wait_s,
            presented: Arc::default(),
            told: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(shop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        shop
    }

    /// What a 402 says.
    fn demand(&self, url: &str, error: Option<&str>) -> Response {
        let required = json!({
            "x402Version": 2, "error": error.unwrap_or("PAYMENT-SIGNATURE header is required"),
            "resource": { "url": url }, "accepts": *self.offers,
        });
        let mut response = Response::builder().status(402);
        if error == Some("settlement_pending") {
            response = response.header("retry-after", "1");
        }
        let required = header::encode(&required).unwrap();
        response.header(header::PAYMENT_REQUIRED, required).body(Body::empty()).unwrap()
    }

    /// The receipt, or the code that refuses the payment.
    async fn paid(&self, value: &str) -> Result<Value, String> {
        let payload: Value = header::decode(value.as_bytes()).unwrap();
        let accepted = payload["accepted"].clone();
        assert!(self.offers.contains(&accepted), "it is one of the offers: {accepted}");
        let request = json!({
            "x402Version": 2, "paymentPayload": payload, "paymentRequirements": accepted,
        });
        let verified = self.ask("/verify", &request).await;
        if verified["isValid"] != true {
            return Err(verified["invalidReason"].as_str().unwrap().to_owned());
        }
        let settled = self.ask("/settle", &request).await;
        if settled["success"] != true {
            return Err(settled["errorReason"].as_str().unwrap().to_owned());
        }
        Ok(settled)
    }

    async fn ask(&self, path: &str, request: &Value) -> Value {
        let post = self.http.post(format!("{}{path}", self.facilitator));
        let post = post.header("prefer", format!("wait={}", self.settle_wait_s)).json(request);
        post.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// How many different payments came.
    pub(crate) fn payments(&self) -> usize {
        let mut presented = self.presented.lock().unwrap().clone();
        presented.sort();
        presented.dedup();
        presented.len()
    }
}

async fn answer(State(shop): State<Shop>, request: Request) -> Response {
    let url = format!("{}{}", shop.url, request.uri());
    let Some(value) = request.headers().get(header::PAYMENT_SIGNATURE) else {
        return shop.demand(&url, None);
    };
    let value = value.to_str().unwrap().to_owned();
    shop.presented.lock().unwrap().push(value.clone());
    // Whoever paid may go away while it waits: the payment goes on.
    let paid = tokio::spawn({
        let shop = shop.clone();
        async move { shop.paid(&value).await }
    });
    let paid = paid.await.unwrap();
    shop.told.lock().unwrap().push(paid.as_ref().err().cloned());
    match paid {
        Err(code) => shop.demand(&url, Some(&code)),
        Ok(receipt) => {
            let receipt = header::encode(&receipt).unwrap();
            let response = Response::builder().header(header::PAYMENT_RESPONSE, receipt);
            response.body(CONTENT.into()).unwrap()
        }
    }
}
