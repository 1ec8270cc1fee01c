//! Commands that ask a running facilitator: where it is, the key, and its refusals in words.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::serve::LISTEN_DEFAULT;

/// How long connecting may take, and how long a server may say nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// For what is asked without a body.
pub const NO_BODY: Option<&()> = None;

/// Where a running facilitator is.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// URL of a running facilitator [default: http://127.0.0.1:4020]
    #[arg(long, global = true, env = "CCD402_URL", value_name = "URL")]
    url: Option<String>,
    /// API key that allows this, where the facilitator asks for keys
    #[arg(long, global = true, env = "CCD402_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

/// A running facilitator.
#[derive(Debug, Clone)]
pub struct Server {
    http: Client,
    base: String,
    key: Option<String>,
}

/// What a facilitator says where it refuses.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    detail: String,
}

impl Remote {
    /// The facilitator that is meant; nothing is sent yet.
    ///
    /// # Errors
    /// Where there can be no HTTP client.
    pub fn server(self) -> anyhow::Result<Server> {
        Server::new(self.url, self.key)
    }
}

impl Server {
    /// The facilitator at a URL, or the one on this machine; nothing is sent yet.
    ///
    /// # Errors
    /// Where the URL is none, or there can be no HTTP client.
    pub fn new(url: Option<String>, key: Option<String>) -> anyhow::Result<Self> {
        let base = url.unwrap_or_else(|| format!("http://{LISTEN_DEFAULT}"));
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.query().is_none();
        ensure!(
            base.parse().as_ref().is_ok_and(is_web),
            "{base:?} is not the URL of a facilitator: write it like http://{LISTEN_DEFAULT}"
        );
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // Neither the key nor what is asked for goes elsewhere.
            .redirect(Policy::none())
            .build()
            .context("no HTTP client can be made")?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key })
    }

    /// Reads a path.
    ///
    /// # Errors
    /// Where nobody answers, or the answer is a refusal.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Asks for something to be done that needs no more words.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub async fn post(&self, path: &str) -> anyhow::Result<Response> {
        self.send(self.http.post(format!("{}{path}", self.base))).await
    }

    /// Asks a path for JSON, with a body where there is more to say.
    ///
    /// # Errors
    /// As [`Server::get`], and where the answer is something else.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> anyhow::Result<T> {
        let response = self.say(method, path, body).await?;
        response.json().await.context("the answer is not understood; is this a facilitator?")
    }

    /// As [`Server::ask`], of what answers in another way or not at all.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub async fn say(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> anyhow::Result<Response> {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let response = request.send().await.with_context(|| {
            format!(
                "nobody answers at {}; is `ccd402 serve` running? --url names another",
                self.base
            )
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        match response.json::<Refusal>().await {
            Ok(Refusal { code, detail }) => bail!("{} refuses: {detail} ({code})", self.base),
            Err(_) => bail!("{} answers {status}", self.base),
        }
    }
}
