//! Why a request was not served, as a value. The layer around the routes writes it out, because it
//! alone knows the request's id and the shape that the route's callers expect.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::{SettleResponse, VerifyResponse};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::reply;

/// How soon a caller should try again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: ReasonCode,
    pub(crate) detail: Cow<'static, str>,
    named: Option<Named>,
    /// How soon to try again, where that is known better than for all.
    retry_after: Option<Duration>,
}

/// What a request for a settlement names; told back also where the settlement failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) network: String,
    pub(crate) transaction: String,
}

/// How a route's callers expect to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// RFC 9457.
    Details,
    /// A VerifyResponse.
    Verify,
    /// A SettleResponse.
    Settle,
}

/// Problem details, RFC 9457.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: ReasonCode,
    request_id: &'a str,
    retryable: bool,
}

/// An x402 answer where there is none: the same with `error` and `code`, which some clients read.
#[derive(Serialize)]
struct NoAnswer<'a, T> {
    #[serde(flatten)]
    answer: T,
    error: &'a str,
    code: ReasonCode,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: ReasonCode,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, detail: detail.into(), named: None, retry_after: None }
    }

    /// The same, about what a request for a settlement names.
    pub(crate) fn naming(self, named: Named) -> Self {
        Self { named: Some(named), ..self }
    }

    /// One that the code's title explains well enough.
    pub(crate) fn of(status: StatusCode, code: ReasonCode) -> Self {
        Self::new(status, code, code.title())
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ReasonCode::MalformedRequest, detail)
    }

    pub(crate) fn overloaded() -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, ReasonCode::Overloaded)
    }

    /// More than a limit of the caller's allows.
    pub(crate) fn too_many(code: ReasonCode, retry_after: Duration) -> Self {
        let problem = Self::of(StatusCode::TOO_MANY_REQUESTS, code);
        Self { retry_after: Some(retry_after), ..problem }
    }

    pub(crate) fn internal() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, ReasonCode::InternalError)
    }

    /// A rejection that is told by status.
    pub(crate) fn rejected(status: StatusCode, rejection: Rejection) -> Self {
        Self::new(status, rejection.code, rejection.detail)
    }

    /// Writes the problem into a response, beside the headers that it has already.
    pub(crate) fn write(&self, shape: Shape, request_id: &str, response: &mut Response) {
        let content_type = if shape == Shape::Details { PROBLEM_JSON } else { reply::JSON };
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(RETRY_AFTER, self.retry_after());
            }
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, BEARER);
            }
            _ => {}
        }
        *response.body_mut() = self.body(shape, request_id).into();
    }

    /// Whole seconds, and never before it makes sense.
    fn retry_after(&self) -> HeaderValue {
        let Some(wait) = self.retry_after else { return RETRY_AFTER_SECONDS };
        HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero()))
    }

    fn body(&self, shape: Shape, request_id: &str) -> Bytes {
        let detail = self.detail.as_ref();
        match shape {
            Shape::Details => reply::bytes(&Details {
                r#type: format!("/errors/{}", self.code),
                title: self.code.title(),
                status: self.status.as_u16(),
                detail,
                code: self.code,
                request_id,
                retryable: self.code.is_retryable(),
            }),
            Shape::Verify => {
                let code = self.x402_code(ReasonCode::UnexpectedVerifyError);
                let answer = VerifyResponse {
                    invalid_reason: Some(code.to_string()),
                    invalid_message: Some(detail.to_owned()),
                    ..VerifyResponse::default()
                };
                reply::bytes(&NoAnswer { answer, error: detail, code })
            }
            Shape::Settle => {
                let code = self.x402_code(ReasonCode::UnexpectedSettleError);
                let Named { network, transaction } = self.named.clone().unwrap_or_default();
                let answer = SettleResponse {
                    error_reason: Some(code.to_string()),
                    error_message: Some(detail.to_owned()),
                    transaction,
                    network,
                    ..SettleResponse::default()
                };
                reply::bytes(&NoAnswer { answer, error: detail, code })
            }
        }
    }

    /// x402 has one code for every fault of ours.
    fn x402_code(&self, fault: ReasonCode) -> ReasonCode {
        match self.code {
            ReasonCode::InternalError
            | ReasonCode::LogUnavailable
            | ReasonCode::NodeUnavailable => fault,
            code => code,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
