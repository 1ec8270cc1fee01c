//! The gate's own answers: 402 with offers in both versions, and problem details (RFC 9457).
//!
//! Nothing internal is ever put into them: clients show them to payers.

use axum::body::Body;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::header::{self, PAYMENT_REQUIRED};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::offer::Offers;

/// `error` of the first 402, as the official servers word it.
const NOT_PAID: &str = "X-PAYMENT header is required";
/// Where each code is explained.
const PAGES: &str = "https://github.com/ccd402/ccd402/blob/main/ops/errors";
/// Longest code that is taken over from a facilitator.
const CODE_BYTES_MAX: usize = 64;

/// A 402 with offers; `refusal` says why the payment that came was not taken.
pub(crate) fn payment_required(offers: Option<Offers>, refusal: Option<&str>) -> Response<Body> {
    let Some(mut offers) = offers else { return problem(ReasonCode::InternalError) };
    let error = refusal.unwrap_or(NOT_PAID).to_owned();
    offers.v1.error = Some(error.clone());
    offers.v2.error = Some(error);
    let v2 = header::encode(&offers.v2).ok().and_then(|text| HeaderValue::from_str(&text).ok());
    let (Ok(body), Some(v2)) = (serde_json::to_vec(&offers.v1), v2) else {
        return problem(ReasonCode::InternalError);
    };
    let mut response = json_response(StatusCode::PAYMENT_REQUIRED, "application/json", body);
    response.headers_mut().insert(PAYMENT_REQUIRED, v2);
    response
}

/// Problem details with the status that belongs to the code.
pub(crate) fn problem(code: ReasonCode) -> Response<Body> {
    problem_with(status_of(code), code)
}

/// Problem details with a status of their own.
pub(crate) fn problem_with(status: StatusCode, code: ReasonCode) -> Response<Body> {
    let body = json!({
        "type": format!("{PAGES}/{code}.md"),
        "title": code.title(),
        "status": status.as_u16(),
        "code": code,
        "retryable": code.is_retryable(),
    });
    json_response(status, "application/problem+json", body.to_string().into_bytes())
}

/// The same answer, asking for a pause first.
pub(crate) fn retry_after(mut response: Response<Body>, seconds: u64) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The facilitator's code where it looks like one, else ours.
pub(crate) fn stable(code: Option<&str>, otherwise: ReasonCode) -> &str {
    let is_code = |text: &&str| {
        !text.is_empty()
            && text.len() <= CODE_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    code.filter(is_code).unwrap_or(otherwise.as_str())
}

fn status_of(code: ReasonCode) -> StatusCode {
    match code {
        ReasonCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ReasonCode::FacilitatorUnavailable | ReasonCode::UpstreamUnavailable => {
            StatusCode::BAD_GATEWAY
        }
        ReasonCode::RequestTooLarge => StatusCode::URI_TOO_LONG,
        ReasonCode::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn json_response(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
