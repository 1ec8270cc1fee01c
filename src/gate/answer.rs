//! The gate's own answers: 402 with offers in both versions, or with a page for people, and problem
//! details (RFC 9457).
//!
//! Nothing internal is ever put into them: clients show them to payers.

use axum::body::Body;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::header::{self, PAYMENT_REQUIRED};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::offer::Offers;
use crate::page::Page;

/// `error` of the first 402, as the official servers word it.
const NOT_PAID: &str = "X-PAYMENT header is required";
/// Where each code is explained.
const PAGES: &str = "https://github.com/ccd402/ccd402/blob/main/ops/errors";
/// Longest header of a 402, if it holds more than one offer. Node.js reads heads of 16 KiB.
const HEADER_BYTES_MAX: usize = 12 * 1024;
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Longest code that is taken over from a facilitator.
const CODE_BYTES_MAX: usize = 64;

/// A 402 with these offers; `refusal` says why the payment that came was not taken. Where nothing can
/// be offered, there is a problem instead.
pub(crate) fn payment_required(
    offers: Result<Offers, ReasonCode>,
    refusal: Option<&str>,
    page: Option<&Page<'_>>,
) -> Response<Body> {
    let mut offers = match offers {
        Ok(offers) => offers,
        Err(code) => return problem(code),
    };
    let error = refusal.unwrap_or(NOT_PAID).to_owned();
    offers.v1.error = Some(error.clone());
    offers.v2.error = Some(error);
    let Some(v2) = in_header(&mut offers) else { return problem(ReasonCode::InternalError) };
    let mut response = match page {
        Some(page) => page.response(&offers, refusal),
        None => {
            let Ok(body) = serde_json::to_vec(&offers.v1) else {
                return problem(ReasonCode::InternalError);
            };
            json_response(StatusCode::PAYMENT_REQUIRED, "application/json", body)
        }
    };
    let headers = response.headers_mut();
    headers.insert(PAYMENT_REQUIRED, v2);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// As many of the offers as fit, the first ones; clients do not read heads of any length.
fn in_header(offers: &mut Offers) -> Option<HeaderValue> {
    loop {
        let text = header::encode(&offers.v2).ok()?;
        if text.len() <= HEADER_BYTES_MAX || !offers.drop_last() {
            return HeaderValue::from_str(&text).ok();
        }
    }
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
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}
