//! Keys of a facilitator that runs, through its API.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::Terms;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::shown::{Created, Shown};

/// Which facilitator is asked when nothing is said.
const URL_DEFAULT: &str = "http://127.0.0.1:4020";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Keys asked for at once.
const PAGE: &str = "1000";

/// A facilitator that runs. Not `Debug`: its key is a secret.
pub(super) struct Server {
    base: Url,
    key: Option<String>,
    http: Client,
}

#[derive(Deserialize)]
struct Page {
    keys: Vec<Shown>,
    next: Option<KeyId>,
}

/// What the API says when it does not do what it is asked for.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Server {
    pub(super) fn new(url: Option<&str>, key: Option<&str>) -> anyhow::Result<Self> {
        let text = url.unwrap_or(URL_DEFAULT);
        let base: Url = text.parse().with_context(|| format!("{text} is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") {
            bail!("{text} is neither http nor https");
        }
        let http = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { base, key: key.map(str::to_owned), http })
    }

    pub(super) async fn create(&self, terms: &Terms) -> anyhow::Result<Created> {
        let body = json!({
            "tenant": terms.tenant,
            "name": terms.name,
            "scopes": terms.scopes,
            "limits": terms.limits,
            "expiresAt": terms.expires_at,
        });
        self.ask(self.request(Method::POST, &[])?.json(&body)).await
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<Shown>> {
        let mut all = Vec::new();
        let mut after: Option<KeyId> = None;
        loop {
            let mut request = self.request(Method::GET, &[])?.query(&[("limit", PAGE)]);
            if let Some(after) = after {
                request = request.query(&[("after", after.to_string())]);
            }
            let page: Page = self.ask(request).await?;
            all.extend(page.keys);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn revoke(&self, id: KeyId) -> anyhow::Result<Shown> {
        self.ask(self.request(Method::DELETE, &[&id.to_string()])?).await
    }

    fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("the URL cannot carry a path"))?
            .pop_if_empty()
            .extend(["v1", "keys"].iter().chain(path));
        let request = self.http.request(method, url);
        Ok(match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = request
            .send()
            .await
            .with_context(|| format!("cannot reach the facilitator at {}", self.base))?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return serde_json::from_slice(&body).context("the answer is not understood");
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => bail!("refused with {}: {}", problem.code, problem.detail),
            Err(_) => bail!("refused with status {status}"),
        }
    }
}
