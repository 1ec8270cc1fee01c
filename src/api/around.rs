//! What stands around every route, in one pass from the outside in:
//!
//! 1. the request's id, so that every answer can be found again in the logs;
//! 2. spans below the level `info`, for the log and for traces, so that they cost nothing unless
//!    asked for;
//! 3. the bound on the headers, before anything looks at them;
//! 4. the key, and how much it calls, before the request takes anybody's room;
//! 5. the bound on requests at once: shed, never queued, so that a flood is told so at once;
//! 6. the time limit, a little above the longest wait, so that nothing is held for ever;
//! 7. panics become a 500, so that one fault ends one request;
//! 8. problems are written out in the shape that the route's callers expect.
//!
//! One function and not seven layers: each layer of a router costs an allocation a request. Bodies
//! are bounded where they are read.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ccd402_app::trace;
use ccd402_protocol::code::ReasonCode;
use futures::FutureExt as _;
use http::StatusCode;
use tracing::Instrument as _;

use crate::api::Api;
use crate::measure;
use crate::problem::{Problem, Shape};
use crate::request_id::{RequestId, X_REQUEST_ID};

/// What a request may take beyond the longest wait, besides its body.
const MARGIN: Duration = Duration::from_secs(5);

/// Serves a request within the limits.
pub(crate) async fn around(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begun_at = Instant::now();
    let id = RequestId::of(request.headers());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::debug_span!(
        "request",
        request.id = id.as_str(),
        http.method = %request.method(),
        http.route = path,
        key.id = tracing::field::Empty,
    );
    let hop = tracing::trace_span!(
        target: trace::TARGET,
        "http.request",
        otel.kind = "server",
        request.id = id.as_str(),
        http.request.method = %request.method(),
        http.route = path,
        http.response.status_code = tracing::field::Empty,
    );
    let method = request.method().clone();
    let serving = within_limits(&api, request, next).instrument(span.clone());
    let outcome = serving.instrument(hop.clone()).await;
    let mut response = outcome.unwrap_or_else(Problem::into_response);
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        measure::refused(problem.code);
        problem.write(shape_of(path), id.as_str(), &mut response);
    }
    hop.record("http.response.status_code", response.status().as_u16());
    let took = begun_at.elapsed();
    measure::answered(&method, path, response.status(), took);
    span.in_scope(|| {
        tracing::debug!(
            http.status = response.status().as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    });
    response.headers_mut().insert(X_REQUEST_ID, id.into_header());
    response
}

async fn within_limits(api: &Api, mut request: Request, next: Next) -> Result<Response, Problem> {
    must_be_short(api, &request)?;
    let admitted = {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        api.access.admit(route, &request)?
    };
    if let Some(caller) = &admitted.caller {
        if let Some(key) = caller.key {
            tracing::Span::current().record("key.id", tracing::field::display(key));
        }
        request.extensions_mut().insert(caller.clone());
    }
    // A probe that is shed would have a busy process restarted.
    let is_probe = matches!(request.uri().path(), "/health" | "/livez" | "/readyz");
    let permit = api.requests.try_acquire();
    if permit.is_err() && !is_probe {
        return Err(Problem::overloaded());
    }
    let time_max = api.options.wait_max + api.options.body_timeout + MARGIN;
    let serving = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(time_max, serving).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_)) => {
            tracing::error!("a route panicked");
            Err(Problem::internal())
        }
        Err(_) => {
            tracing::warn!("a request took longer than any wait may");
            Err(Problem::overloaded())
        }
    }
}

/// The line and the headers as they came over the wire, but for white space.
fn must_be_short(api: &Api, request: &Request) -> Result<(), Problem> {
    let uri = request.uri();
    let line = uri.path().len() + uri.query().map_or(0, str::len);
    let headers = request.headers().iter();
    let bytes = headers.fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len());
    if bytes <= api.options.header_bytes_max {
        return Ok(());
    }
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let detail = format!("the headers are larger than {} bytes", api.options.header_bytes_max);
    Err(Problem::new(status, ReasonCode::RequestTooLarge, detail))
}

fn shape_of(path: &str) -> Shape {
    match path {
        "/verify" => Shape::Verify,
        "/settle" => Shape::Settle,
        _ => Shape::Details,
    }
}
