//! A bound on requests in progress: one too many is answered 503 at once, with `Retry-After`.
//!
//! A request is in progress until its response's last byte has gone out. Nothing waits here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use bytes::Bytes;
use ccd402_protocol::code::ReasonCode;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::{problem, retry_after};

/// Pause that the client is asked for.
const RETRY_SECONDS: u64 = 1;

/// Middleware for `axum::middleware::from_fn_with_state`.
pub(crate) async fn limit(
    State(places): State<Arc<Semaphore>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    match places.try_acquire_owned() {
        Ok(place) => next.run(request).await.map(|body| Body::new(Held { body, _place: place })),
        Err(_) => retry_after(problem(ReasonCode::Overloaded), RETRY_SECONDS),
    }
}

/// A body that takes a place until it has been sent or dropped.
struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
