//! The reverse proxy: a gate before any HTTP server, in whatever language it is written.
//!
//! It is the layer over a pooled client, served with bounds; nothing else. It ends no TLS and
//! buffers no body.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router, middleware};
use ccd402_protocol::facilitator::HealthResponse;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceBuilder};

use crate::error::Error;
use crate::gate::Gate;
use crate::layer::GateLayer;
use crate::limit::limit;
use crate::server::{self, Bounds};
use crate::upstream::{Patience, Upstream};

pub use crate::upstream::UpstreamUrl;

/// Answered by the gate itself, `{"status":"ok"}` while it serves. The only path that it takes from
/// the upstream; the name is registered by nobody else.
pub const HEALTH_PATH: &str = "/.well-known/ccd402/health";

/// What the proxy may take, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server behind.
    pub upstream: UpstreamUrl,
    /// Until a connection to it stands. Default 5 s.
    pub connect_timeout: Duration,
    /// From the first byte of a request (its body included) to the end of the response's headers.
    /// Default 60 s. Response bodies may take as long as they like.
    pub response_timeout: Duration,
    /// Requests in progress; one more is answered 503. Default 1,024.
    pub requests_max: usize,
    /// Open connections; more wait to be accepted. Default 4,096.
    pub connections_max: usize,
    /// How long requests in progress may take to end at shutdown. Default 30 s.
    pub drain_timeout: Duration,
}

impl Options {
    /// The defaults before this server.
    #[must_use]
    pub fn new(upstream: UpstreamUrl) -> Self {
        Self {
            upstream,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(60),
            requests_max: 1_024,
            connections_max: 4_096,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// A reverse proxy with a gate in it.
pub struct Proxy {
    router: Router,
    bounds: Bounds,
}

impl Proxy {
    /// A proxy; nothing is connected yet.
    ///
    /// # Errors
    /// Where TLS to the upstream cannot be set up.
    pub fn new(gate: Arc<Gate>, options: Options) -> Result<Self, Error> {
        let patience =
            Patience { connect: options.connect_timeout, response: options.response_timeout };
        let scheme = gate.public_scheme().unwrap_or("http");
        let upstream = Upstream::new(options.upstream, patience, scheme)?;
        let places = Arc::new(Semaphore::new(options.requests_max));
        let gated = ServiceBuilder::new()
            .layer(middleware::from_fn_with_state(places, limit))
            .service(GateLayer::new(gate).layer(upstream));
        let router = Router::new().route(HEALTH_PATH, get(health)).fallback_service(gated);
        let bounds = Bounds {
            connections_max: options.connections_max,
            drain_timeout: options.drain_timeout,
        };
        Ok(Self { router, bounds })
    }

    /// Serves until `shutdown` resolves, then finishes the requests in progress.
    ///
    /// # Errors
    /// Where the listener fails for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        server::serve(listener, self.router, self.bounds, shutdown).await
    }
}

async fn health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok".to_owned() })
}
