//! Takes a JSON body in, bounded in size and time, before anything decodes it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use ccd402_protocol::code::ReasonCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::api::Api;
use crate::problem::Problem;

/// Most that is read of a body that will not be used, and for how long.
const DRAINED: (usize, Duration) = (1024 * 1024, Duration::from_secs(1));

/// The body's bytes, as they came.
///
/// # Errors
/// 415 where it does not say that it is JSON, 413 where it is too large, 408 where it is too slow.
pub(crate) async fn read(api: &Api, request: Request) -> Result<Bytes, Problem> {
    must_be_json(request.headers())?;
    read_bounded(api, request, api.options.body_bytes_max).await
}

/// A body of any type, of at most so many bytes.
///
/// # Errors
/// 413 where it is too large, 408 where it is too slow.
pub(crate) async fn read_bounded(
    api: &Api,
    request: Request,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let (head, mut body) = request.into_parts();
    // Refused before a byte of it is kept.
    if declared_length(&head.headers).is_some_and(|length| length > bytes_max as u64) {
        if !head.headers.contains_key(EXPECT) {
            drain(&mut body).await;
        }
        return Err(too_large(bytes_max));
    }
    let collecting = Limited::new(&mut body, bytes_max).collect();
    match tokio::time::timeout(api.options.body_timeout, collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            drain(&mut body).await;
            Err(too_large(bytes_max))
        }
        Ok(Err(_)) => Err(Problem::malformed("the body broke off")),
        Err(_) => {
            let detail = "the body took too long";
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Problem::new(status, ReasonCode::MalformedRequest, detail))
        }
    }
}

/// Reads on, within bounds, what will not be used: a connection that is closed on unread bytes is
/// reset, and its caller would never learn why.
async fn drain(body: &mut Body) {
    let (bytes_max, time_max) = DRAINED;
    let mut body = Limited::new(body, bytes_max);
    let draining = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether it came to an end or not, the answer is the same.
    let _ = tokio::time::timeout(time_max, draining).await;
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    if media_type(headers).eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported("send JSON, with Content-Type: application/json"))
}

/// What a body says that it is, without parameters; empty where it does not say.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
}

/// A body of a type that the route does not take.
pub(crate) fn unsupported(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ReasonCode::MalformedRequest, detail)
}

/// The length that a body says it has.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body over its bound.
pub(crate) fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body is larger than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ReasonCode::RequestTooLarge, detail)
}
