//! The HTTP server behind the proxy, as a service: pooled connections, bodies streamed both ways.
//!
//! HTTP/1.1, with TLS for https; protocol upgrades are not passed on. It retries nothing by itself.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use ccd402_protocol::code::ReasonCode;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use crate::answer::{problem, problem_with};
use crate::error::Error;
use crate::forward::{self, Hop};

/// Idle connections that are kept.
const IDLE_CONNECTIONS_MAX: usize = 128;
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the upstream is: scheme, host and port. A path would make the gate and the upstream see
/// different ones, so it takes none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
}

impl FromStr for UpstreamUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let what = "upstream URL";
        let wrong = || Error::Url { url: text.to_owned(), what, rest: "no path" };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let has_path = !matches!(uri.path(), "" | "/") || uri.query().is_some();
        match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority))
                if (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
                    && !authority.as_str().contains('@')
                    && !has_path =>
            {
                Ok(Self { scheme: scheme.clone(), authority: authority.clone() })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[derive(Clone)]
enum Pool {
    Plain(Client<HttpConnector, Body>),
    Tls(Client<HttpsConnector<HttpConnector>, Body>),
}

/// The upstream as a service.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Inner>);

struct Inner {
    pool: Pool,
    url: UpstreamUrl,
    host: HeaderValue,
    public_scheme: &'static str,
    response_timeout: Duration,
}

/// How long the upstream may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until a connection stands.
    pub(crate) connect: Duration,
    /// From the request's first byte to the end of the response's headers.
    pub(crate) response: Duration,
}

impl Upstream {
    pub(crate) fn new(
        url: UpstreamUrl,
        patience: Patience,
        public_scheme: &'static str,
    ) -> Result<Self, Error> {
        let host = HeaderValue::from_str(url.authority.as_str())
            .expect("an authority holds header characters only");
        let pool = pool(&url, patience.connect)?;
        let response_timeout = patience.response;
        Ok(Self(Arc::new(Inner { pool, url, host, public_scheme, response_timeout })))
    }
}

fn pool(url: &UpstreamUrl, connect_timeout: Duration) -> Result<Pool, Error> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(connect_timeout));
    http.set_nodelay(true);
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    if url.scheme == Scheme::HTTP {
        return Ok(Pool::Plain(builder.build(http)));
    }
    http.enforce_http(false);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(Error::Tls)?
        .https_only()
        .enable_http1()
        .wrap_connector(http);
    Ok(Pool::Tls(builder.build(https)))
}

impl Inner {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        let Some(request) = self.prepared(request) else {
            return problem(ReasonCode::MalformedRequest);
        };
        match tokio::time::timeout(self.response_timeout, self.ask(request)).await {
            Ok(Ok(response)) => {
                let mut response = response.map(Body::new);
                forward::remove_hop_by_hop(response.headers_mut());
                // The hop to the client is ours: chunked and kept alive, also where this one was not.
                *response.version_mut() = Version::HTTP_11;
                response
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %root_cause(&error), "the upstream could not be reached");
                problem(ReasonCode::UpstreamUnavailable)
            }
            Err(_) => {
                tracing::warn!("the upstream took too long to answer");
                problem_with(StatusCode::GATEWAY_TIMEOUT, ReasonCode::UpstreamUnavailable)
            }
        }
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        match &self.pool {
            Pool::Plain(client) => client.request(request).await,
            Pool::Tls(client) => client.request(request).await,
        }
    }

    /// The same method, path and query, byte by byte, for the upstream's own address.
    fn prepared(&self, mut request: Request<Body>) -> Option<Request<Body>> {
        let slash = || PathAndQuery::from_static("/");
        let path = request.uri().path_and_query().cloned().unwrap_or_else(slash);
        *request.uri_mut() = Uri::builder()
            .scheme(self.url.scheme.clone())
            .authority(self.url.authority.clone())
            .path_and_query(path)
            .build()
            .ok()?;
        *request.version_mut() = Version::HTTP_11;
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let hop = Hop { peer, scheme: self.public_scheme, upstream_host: &self.host };
        forward::prepare(request.headers_mut(), &hop);
        Some(request)
    }
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.send(request).await) })
    }
}

/// The innermost cause says what happened; the outer ones only that something did.
fn root_cause(error: &ClientError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_scheme_and_a_host() {
        for text in ["http://127.0.0.1:8000", "https://shop.example", "http://[::1]:80/"] {
            assert!(text.parse::<UpstreamUrl>().is_ok(), "{text}");
        }
        let wrong = ["", "shop.example", "ftp://x", "http://x/path", "http://x/?q", "http://a@x"];
        for text in wrong {
            assert!(text.parse::<UpstreamUrl>().is_err(), "{text}");
        }
    }
}
