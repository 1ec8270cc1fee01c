//! Sends one message: signed, bounded in time and bytes, and without following redirects.
//!
//! A redirect is an answer that does not take the message: a receiver that has moved says so by a
//! changed URL, not by leading us somewhere.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ccd402_app::ports::webhooks::{Message, Sent, SigningSecret, UrlRefused, WebhookSender};
use ccd402_domain::webhook::event::{Answer, NoAnswer};
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

use crate::error::Error;
use crate::guard::Guard;
use crate::resolver::{GuardedResolver, Lookup, NameRefused, NameUnknown, SystemLookup};

/// What messages call themselves.
const USER_AGENT: &str = concat!("ccd402-webhooks/", env!("CARGO_PKG_VERSION"));
/// Most bytes read of an answer's body, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How messages are sent.
#[derive(Clone)]
pub struct Options {
    /// Networks that are allowed beside the public internet.
    pub allow: Vec<IpNet>,
    /// Longest time from connecting to the end of the answer's head.
    pub timeout: Duration,
    /// Who knows the addresses of names.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for Options {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout: Duration::from_secs(15), lookup: Arc::new(SystemLookup) }
    }
}

/// Sends messages over HTTP.
pub struct HttpSender {
    http: reqwest::Client,
    guard: Guard,
}

impl HttpSender {
    /// A sender.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(options: Options) -> Result<Self, Error> {
        let guard = Guard::new(options.allow);
        let resolver = GuardedResolver { lookup: options.lookup, guard: guard.clone() };
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(resolver))
            .redirect(Policy::none())
            // A proxy of the environment would look up and connect for us, unguarded.
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .timeout(options.timeout)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self { http, guard })
    }

    async fn answer(&self, message: Message) -> (Answer, Option<Duration>) {
        // Checked again: the configuration may have changed since the URL was taken in.
        let Ok(url) = self.guard.url(&message.url) else {
            return (Answer::Error(NoAnswer::Refused), None);
        };
        let Some(signatures) = signatures(&message) else {
            return (Answer::Error(NoAnswer::Refused), None);
        };
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER_WEBHOOK_ID, &message.id)
            .header(HEADER_WEBHOOK_TIMESTAMP, message.time.timestamp())
            .header(HEADER_WEBHOOK_SIGNATURE, signatures)
            .body(message.body);
        match request.send().await {
            Ok(response) => {
                let answer = Answer::Status(response.status().as_u16());
                let asks = matches!(response.status().as_u16(), 429 | 503);
                let retry_after = retry_after(response.headers(), message.time).filter(|_| asks);
                drain(response).await;
                (answer, retry_after)
            }
            Err(error) => (Answer::Error(no_answer(&error)), None),
        }
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    fn check(&self, url: &str) -> Result<(), UrlRefused> {
        self.guard.url(url).map(|_| ())
    }

    async fn send(&self, message: Message) -> Sent {
        let begun_at = Instant::now();
        let (answer, retry_after) = self.answer(message).await;
        let duration = begun_at.elapsed();
        metrics::histogram!("ccd402_webhook_send_seconds").record(duration.as_secs_f64());
        metrics::counter!("ccd402_webhook_sends_total", "answer" => class(answer)).increment(1);
        Sent { answer, retry_after, duration }
    }
}

/// One signature a secret, as the header has them.
fn signatures(message: &Message) -> Option<String> {
    let sign = |secret: &SigningSecret| {
        let webhook = Webhook::from_bytes(secret.0.clone()).ok()?;
        webhook.sign(&message.id, message.time.timestamp(), &message.body).ok()
    };
    let signatures: Option<Vec<String>> = message.secrets.iter().map(sign).collect();
    signatures.filter(|signatures| !signatures.is_empty()).map(|all| all.join(" "))
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    (date.with_timezone(&Utc) - now).to_std().ok()
}

/// Reads the rest of a short answer, so that its connection can be used again. It is kept nowhere.
async fn drain(mut response: reqwest::Response) {
    let mut bytes = 0;
    while bytes <= ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

/// One word for what went wrong. The error itself is not kept: it names the URL.
fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if caused_by::<NameRefused>(error) {
        NoAnswer::Refused
    } else if caused_by::<NameUnknown>(error) {
        NoAnswer::Unresolved
    } else if error.is_timeout() {
        NoAnswer::TimedOut
    } else if error.is_connect() {
        NoAnswer::Unreachable
    } else {
        NoAnswer::Broken
    }
}

fn caused_by<E: StdError + 'static>(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |error| (*error).source()).any(|cause| cause.is::<E>())
}

fn class(answer: Answer) -> &'static str {
    match answer {
        Answer::Status(200..=299) => "2xx",
        Answer::Status(300..=399) => "3xx",
        Answer::Status(400..=499) => "4xx",
        Answer::Status(_) => "5xx",
        Answer::Error(_) => "none",
    }
}
