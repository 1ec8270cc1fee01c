//! Commands that ask a running facilitator: where it is, the key, and its refusals in words.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::serve::LISTEN_DEFAULT;

/// How long connecting may take, and how long a server may say nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one message of a stream may be: events are smaller.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

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

/// An answer that comes in lines of JSON, while something goes on.
pub struct Lines {
    response: Response,
    text: Vec<u8>,
}

/// Server-sent events, while they come.
pub struct Messages {
    response: Response,
    text: Vec<u8>,
}

/// One of them: as far as it says so, where it stands and what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// For taking up the stream after it.
    pub id: Option<String>,
    /// JSON, mostly.
    pub data: Option<String>,
}

/// A facilitator has refused.
#[derive(Debug, Error)]
#[error("{base} refuses: {detail} ({code})")]
pub struct Refused {
    /// Of its answer.
    pub status: StatusCode,
    /// Why, for programs.
    pub code: String,
    base: String,
    detail: String,
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

impl From<Response> for Lines {
    fn from(response: Response) -> Self {
        Self { response, text: Vec::new() }
    }
}

impl Lines {
    /// The next line; none at the end.
    ///
    /// # Errors
    /// Where the answer breaks off, or the line is not understood.
    pub async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return serde_json::from_slice(&line).context("the answer is not understood");
            }
            match self.response.chunk().await.context("the answer broke off")? {
                Some(chunk) => self.text.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

impl From<Response> for Messages {
    fn from(response: Response) -> Self {
        Self { response, text: Vec::new() }
    }
}

impl Messages {
    /// The next message; none at the end.
    ///
    /// # Errors
    /// Where the stream breaks off, or a message is no text or far too long.
    pub async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let message: Vec<u8> = self.text.drain(..end + 2).collect();
                return Ok(Some(Message::read(std::str::from_utf8(&message)?)));
            }
            ensure!(self.text.len() <= MESSAGE_BYTES_MAX, "a message of the stream has no end");
            match self.response.chunk().await.context("the stream broke off")? {
                Some(chunk) => self.text.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

impl Message {
    fn read(text: &str) -> Self {
        let field = |name| text.lines().find_map(|line: &str| line.strip_prefix(name));
        let [id, data] = ["id: ", "data: "].map(|name| field(name).map(str::to_owned));
        Self { id, data }
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

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What a probe says, whatever its status: it says what is amiss with 503.
    ///
    /// # Errors
    /// Where nobody answers, or the answer is something else.
    pub async fn probe<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await;
        let response = response.with_context(|| self.nobody())?;
        response.json().await.context("the answer is not understood; is this a facilitator?")
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
        let response = request.send().await.with_context(|| self.nobody())?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        match response.json::<Refusal>().await {
            Ok(Refusal { code, detail }) => {
                let base = self.base.clone();
                Err(Refused { status, code, base, detail }.into())
            }
            Err(_) => bail!("{} answers {status}", self.base),
        }
    }

    fn nobody(&self) -> String {
        format!("nobody answers at {}; is `ccd402 serve` running? --url names another", self.base)
    }
}
