//! Holders of API keys, and how they are refused.

use std::num::NonZeroU32;

use ccd402_api::options::Options;
use ccd402_api::server::Limits as ServerLimits;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::Terms;
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::Scope;
use chrono::TimeDelta;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::purchase::Purchase;
use super::{TestApi, answer, beginning};

/// Where holders hand in.
const VERIFICATIONS: &str = "/v1/verifications";

/// Serves nobody without a key.
pub(crate) async fn with_keys() -> TestApi {
    let options = Options { require_keys: true, ..Options::default() };
    TestApi::start_with(options, ServerLimits::default()).await
}

pub(crate) fn limits(rate: u32, burst: u32, in_flight: u32) -> Limits {
    let count = |count| NonZeroU32::new(count).unwrap();
    Limits { rate: count(rate), burst: count(burst), in_flight: count(in_flight) }
}

pub(crate) struct Holder<'a> {
    pub(crate) api: &'a TestApi,
    pub(crate) id: KeyId,
    pub(crate) text: String,
}

impl Holder<'_> {
    pub(crate) fn send(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.api.url);
        self.api.http.request(method, url).bearer_auth(&self.text)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.send(Method::POST, path).json(body)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.send(Method::GET, path)
    }

    pub(crate) async fn submit(&self, purchase: &Purchase) -> String {
        let response = self.post(VERIFICATIONS, &purchase.request()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        response.headers()["location"].to_str().unwrap().to_owned()
    }
}

pub(crate) async fn holder<'a>(api: &'a TestApi, tenant: &str, scopes: &[Scope]) -> Holder<'a> {
    limited(api, tenant, scopes, Limits::default()).await
}

pub(crate) async fn limited<'a>(
    api: &'a TestApi,
    tenant: &str,
    scopes: &[Scope],
    limits: Limits,
) -> Holder<'a> {
    let terms = Terms {
        tenant: tenant.parse().unwrap(),
        name: "a test".parse().unwrap(),
        scopes: scopes.iter().copied().collect(),
        limits,
        expires_at: Some(beginning() + TimeDelta::days(1)),
    };
    let created = api.keys.create(terms).await.unwrap().unwrap();
    Holder { api, id: created.key.id(), text: created.text.reveal() }
}

/// Status and code of a refusal.
pub(crate) async fn refusal(request: RequestBuilder) -> (u16, String) {
    let (status, problem) = answer(request).await;
    (status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn because(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
