//! The facilitator over HTTP.
//!
//! One request a call: whether to repeat it is the caller's decision, who knows the deadline.
//! Redirects are never followed with a payment, bodies are bounded, and nothing is logged.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::{
    AssetResponse, SettleResponse, SupportedResponse, VerifyRequest, VerifyResponse,
};
use chrono::Utc;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::facilitator::{Error, Facilitator};
use crate::retry;

/// Name of the header that makes a request repeatable.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What a facilitator may take at most, as the official clients allow it.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(90);

const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX_DEFAULT: usize = 256 * 1024;
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// Longest code that is taken over from an answer.
const CODE_BYTES_MAX: usize = 64;

/// Where the facilitator is and what it may take. `Debug` hides the key.
#[derive(Clone)]
pub struct Options {
    /// Its base: `/verify` and the others are appended to its path.
    pub base: Url,
    /// Sent as `Authorization: Bearer`.
    pub api_key: Option<String>,
    /// Until the connection stands. Default 5 s.
    pub connect_timeout: Duration,
    /// From the first byte sent to the last received. Default 90 s.
    pub timeout: Duration,
    /// Longest answer that is read. Default 256 KiB.
    pub body_bytes_max: usize,
}

impl Options {
    /// The defaults for a facilitator at this URL.
    ///
    /// # Errors
    /// Where the text is no http or https URL.
    pub fn new(base: &str) -> Result<Self, Error> {
        let base = Url::parse(base).map_err(|_| Error::Misused("its URL is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Error::Misused("its URL is neither http nor https"));
        }
        Ok(Self {
            base,
            api_key: None,
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            timeout: TIMEOUT_DEFAULT,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
        })
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("base", &self.base.as_str())
            .field("has_api_key", &self.api_key.is_some())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A facilitator at a URL. Clone it for concurrency: clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpFacilitator {
    options: Options,
    authorization: Option<HeaderValue>,
    client: reqwest::Client,
}

impl HttpFacilitator {
    /// A client of it; nothing is sent yet.
    ///
    /// # Errors
    /// Where the key is no header value, or no TLS can be set up.
    pub fn new(options: Options) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::Unavailable(reason(&error)))?;
        let authorization = options.api_key.as_deref().map(bearer).transpose()?;
        Ok(Self { options, authorization, client })
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Error> {
        let mut url = self.options.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Misused("its URL cannot carry a path"))?
            .pop_if_empty()
            .extend(path);
        let request = self.client.request(method, url);
        Ok(match &self.authorization {
            Some(value) => request.header(reqwest::header::AUTHORIZATION, value.clone()),
            None => request,
        })
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &VerifyRequest,
        idempotency_key: Option<&str>,
    ) -> Result<T, Error> {
        let mut request = self.request(Method::POST, &[path])?.json(body);
        if let Some(key) = idempotency_key {
            let key = HeaderValue::from_str(key)
                .map_err(|_| Error::Misused("the idempotency key is not a header value"))?;
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        self.json(request).await
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let body = self.ask(request).await?;
        serde_json::from_slice(&body).map_err(|error| Error::NotUnderstood(error.to_string()))
    }

    /// Sends and reads the body of a 2xx.
    async fn ask(&self, request: RequestBuilder) -> Result<Vec<u8>, Error> {
        let response = request.send().await.map_err(|error| Error::Unavailable(reason(&error)))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            let asked = retry::after(response.headers(), Utc::now());
            return Err(Error::Busy { retry_after: asked.unwrap_or(RETRY_AFTER_DEFAULT) });
        }
        let body = self.body(response).await;
        if status.is_success() {
            return body;
        }
        let code = body.ok().and_then(|body| problem_code(&body));
        Err(Error::Refused { status: status.as_u16(), code })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await.map_err(|error| Error::Unavailable(reason(&error)))? {
                Some(chunk) if body.len() + chunk.len() > self.options.body_bytes_max => {
                    return Err(Error::NotUnderstood("it is too long".to_owned()));
                }
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body),
            }
        }
    }
}

#[async_trait]
impl Facilitator for HttpFacilitator {
    async fn verify(
        &self,
        request: &VerifyRequest,
        idempotency_key: Option<&str>,
    ) -> Result<VerifyResponse, Error> {
        self.post("verify", request, idempotency_key).await
    }

    async fn settle(
        &self,
        request: &VerifyRequest,
        idempotency_key: Option<&str>,
    ) -> Result<SettleResponse, Error> {
        self.post("settle", request, idempotency_key).await
    }

    async fn supported(&self) -> Result<SupportedResponse, Error> {
        self.json(self.request(Method::GET, &["supported"])?).await
    }

    async fn decimals(&self, asset: &str) -> Result<Option<u8>, Error> {
        match self.json(self.request(Method::GET, &["v1", "assets", asset])?).await {
            Ok(AssetResponse { decimals, .. }) => Ok(Some(decimals)),
            Err(Error::Refused { code: Some(code), .. })
                if code == ReasonCode::AssetNotFound.as_str() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn release(&self, verification: &str, reservation: &str) -> Result<(), Error> {
        let verification: Uuid = verification
            .parse()
            .map_err(|_| Error::Misused("the verification's id is not a UUID"))?;
        let reservation: Uuid = reservation
            .parse()
            .map_err(|_| Error::Misused("the reservation's id is not a UUID"))?;
        let path = ["v1", "verifications", &verification.to_string(), "release"];
        let body = serde_json::json!({ "reservation": reservation });
        self.ask(self.request(Method::POST, &path)?.json(&body)).await.map(drop)
    }
}

fn bearer(key: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| Error::Misused("the API key is not a header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The code of problem details (RFC 9457), if that is what the body is.
fn problem_code(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    (problem.code.len() <= CODE_BYTES_MAX).then_some(problem.code)
}

/// The innermost cause: the outer ones repeat the URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
