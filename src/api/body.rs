//! Takes a JSON body in, bounded in size and time, before anything decodes it.

use axum::extract::Request;
use bytes::Bytes;
use ccd402_protocol::code::ReasonCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::api::Api;
use crate::problem::Problem;

/// The body's bytes, as they came.
///
/// # Errors
/// 415 where it does not say that it is JSON, 413 where it is too large, 408 where it is too slow.
pub(crate) async fn read(api: &Api, request: Request) -> Result<Bytes, Problem> {
    let bytes_max = api.options.body_bytes_max;
    must_be_json(request.headers())?;
    // Refused before a byte of it is read.
    if declared_length(request.headers()).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let collecting = Limited::new(request.into_body(), bytes_max).collect();
    match tokio::time::timeout(api.options.body_timeout, collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(Problem::malformed("the body broke off")),
        Err(_) => {
            let detail = "the body took too long";
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Problem::new(status, ReasonCode::MalformedRequest, detail))
        }
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let detail = "send JSON, with Content-Type: application/json";
    Err(Problem::new(status, ReasonCode::MalformedRequest, detail))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body is larger than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ReasonCode::RequestTooLarge, detail)
}
