//! `GET /livez` and `GET /readyz`, for whoever starts and stops processes and sends them requests.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::ready::Readiness;
use crate::reply;

/// The process answers: a reason not to restart it.
pub(crate) async fn live() -> Response {
    (StatusCode::OK, "ok\n").into_response()
}

/// Whether requests should be sent here; if not, which part is the reason.
pub(crate) async fn ready(State(readiness): State<Readiness>) -> Response {
    let ready = readiness.check();
    let status = if ready.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = reply::json(status, &ready);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
