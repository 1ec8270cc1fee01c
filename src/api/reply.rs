//! JSON replies.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

/// The type of every body but problems and pages.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A value as JSON.
pub(crate) fn bytes<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("wire types have text keys and so always have JSON").into()
}

/// A reply that holds for now only.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    (status, [(CONTENT_TYPE, JSON), (CACHE_CONTROL, NO_STORE)], bytes(value)).into_response()
}
