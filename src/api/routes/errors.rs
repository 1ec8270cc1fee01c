//! `GET /errors/{code}`: the page of an error code, to which `type` of problem details points.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::problem::Problem;

/// Code and page, in the order of the codes; made by the build from `ops/errors`.
static PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));
const MARKDOWN: HeaderValue = HeaderValue::from_static("text/markdown; charset=utf-8");

pub(crate) async fn page(Path(code): Path<String>) -> Result<Response, Problem> {
    let (_, text) = PAGES
        .iter()
        .find(|(name, _)| *name == code)
        .ok_or_else(|| Problem::of(StatusCode::NOT_FOUND, ReasonCode::RouteNotFound))?;
    Ok(([(CONTENT_TYPE, MARKDOWN)], *text).into_response())
}
