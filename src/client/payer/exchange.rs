//! Sends requests to the resource server and sorts what comes back.
//!
//! Redirects are not followed: an offer is for the URL that was asked for, and a payment goes
//! nowhere else.

use std::time::Duration;

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::SettleResponse;
use ccd402_protocol::header::{PAYMENT_SIGNATURE, X_PAYMENT};
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, Utc};
use http::{HeaderValue, StatusCode};
use reqwest::Response;

use crate::http::reason;
use crate::payer::demand::{self, Demand};
use crate::payer::error::Error;
use crate::payer::record::Open;
use crate::payer::request::Request;
use crate::retry;

/// Longest body of a 402 that is read.
const DEMAND_BYTES_MAX: usize = 256 * 1024;

/// The resource server, over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    client: reqwest::Client,
    idle_timeout: Duration,
}

/// What came of presenting a payment.
pub(crate) enum Presented {
    /// The answer is the content.
    Accepted(Response, Option<Box<SettleResponse>>),
    /// Not yet: present it again.
    Later {
        why: String,
        after: Option<Duration>,
        /// Whether the payment may have been taken all the same.
        broke_off: bool,
    },
    /// Refused, with a code.
    Refused(String),
}

impl Exchange {
    pub(crate) fn new(idle_timeout: Duration) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(idle_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ccd402/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Request(reason(&error)))?;
        Ok(Self { client, idle_timeout })
    }

    /// Asks without a payment. The answer's body is not read yet.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Response, Error> {
        let sent = tokio::time::timeout(self.idle_timeout, self.send(request, None)).await;
        sent.unwrap_or_else(|_| Err(Error::Unreachable("it took too long".to_owned())))
    }

    /// Reads the offers of a 402.
    pub(crate) async fn demand(&self, response: Response) -> Demand {
        let headers = response.headers().clone();
        let body = self.bounded(response).await;
        Demand::read(&headers, body.as_deref())
    }

    /// Asks with a payment. A server may hold the answer until the payment is final.
    pub(crate) async fn present(
        &self,
        request: &Request,
        open: &Open,
        now: DateTime<Utc>,
    ) -> Presented {
        let response = match self.send(request, Some(open)).await {
            Ok(response) => response,
            Err(error) => {
                return Presented::Later { why: error.to_string(), after: None, broke_off: true };
            }
        };
        let status = response.status();
        let receipt = demand::receipt(response.headers());
        let after = retry::after(response.headers(), now);
        match status {
            StatusCode::PAYMENT_REQUIRED => {
                let said = self.demand(response).await.error;
                let settled = receipt.and_then(|receipt| receipt.error_reason);
                // Some servers say it in words, and the code beside it.
                let is_code = |text: &String| text.parse::<ReasonCode>().is_ok();
                let code = settled.filter(is_code).filter(|_| !said.as_ref().is_some_and(is_code));
                let code = code.or(said);
                sorted(code.unwrap_or_else(|| "payment_required".to_owned()), after)
            }
            _ if status.is_success() || receipt.as_ref().is_some_and(|r| r.success) => {
                Presented::Accepted(response, receipt.map(Box::new))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Presented::Later { why: format!("status {status}"), after, broke_off: false }
            }
            _ if status.is_server_error() => {
                Presented::Later { why: format!("status {status}"), after, broke_off: true }
            }
            _ => Presented::Refused(format!("http_{}", status.as_u16())),
        }
    }

    async fn send(&self, request: &Request, open: Option<&Open>) -> Result<Response, Error> {
        let mut headers = request.headers.clone();
        if let Some(open) = open {
            let name = match open.x402_version {
                X402Version::V1 => X_PAYMENT,
                X402Version::V2 => PAYMENT_SIGNATURE,
            };
            let mut value = HeaderValue::from_str(&open.header)
                .map_err(|_| Error::Request("the payment is no header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let sent = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(headers)
            .body(request.body.clone())
            .send();
        sent.await.map_err(|error| Error::Unreachable(reason(&error)))
    }

    /// The body, unless it is too long, too slow, or breaks off.
    async fn bounded(&self, mut response: Response) -> Option<Vec<u8>> {
        let read = async {
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.ok()? {
                if body.len() + chunk.len() > DEMAND_BYTES_MAX {
                    return None;
                }
                body.extend_from_slice(&chunk);
            }
            Some(body)
        };
        tokio::time::timeout(self.idle_timeout, read).await.ok().flatten()
    }
}

/// A 402 to a payment: codes that are known to pass are waited for, all others are final.
fn sorted(code: String, after: Option<Duration>) -> Presented {
    match code.parse::<ReasonCode>() {
        Ok(known) if known.is_retryable() => {
            Presented::Later { why: known.title().to_owned(), after, broke_off: false }
        }
        _ => Presented::Refused(code),
    }
}
