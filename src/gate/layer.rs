//! The tower layer: puts a gate before a service.
//!
//! What happens to one request is told in `story`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use tower::{BoxError, Layer, Service};

use crate::gate::Gate;
use crate::story::serve;

/// Tells the upstream which account paid. A client's own copy is removed.
pub const PAYER: HeaderName = HeaderName::from_static("x-ccd402-payer");
/// Tells the upstream the verification's id. A client's own copy is removed.
pub const VERIFICATION: HeaderName = HeaderName::from_static("x-ccd402-verification");

/// Puts a gate before a service, such as an axum router.
///
/// It reads the URI that the client sent, also inside nested routers.
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// A layer of this gate.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService { gate: Arc::clone(&self.gate), inner }
    }
}

/// A service behind a gate.
#[derive(Debug, Clone)]
pub struct GateService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, B> Service<Request<Body>> for GateService<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Whether the inner service is ready is waited for once the payment is good.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        let inner = self.inner.clone();
        Box::pin(async move {
            let answered = serve(&gate, inner, request).await;
            Ok(answered.unwrap_or_else(|refused| *refused))
        })
    }
}
