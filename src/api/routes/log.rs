//! `GET /v1/events`: the log's lines as they are stored, for operators: NDJSON, each with its hash.
//!
//! Whoever has them all can check them with nothing but a SHA-256. The head is in a header, so that
//! a reader knows how far it has come.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use ccd402_app::ports::log::READ_EVENTS_MAX;
use ccd402_domain::key::scope::Scope;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

/// Position of the newest event.
const HEAD: HeaderName = HeaderName::from_static("x-ccd402-head");
/// Lines of one answer where the caller does not say.
const LIMIT_DEFAULT: usize = 1_000;
/// Lines that are read at a time; bytes after which an answer takes no more of them.
const PAGE_LINES: usize = 256;
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) async fn lines(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let mut query = Query::of(request.uri())?;
    let mut after = query.take("after")?.unwrap_or(0);
    let limit = query.take("limit")?.unwrap_or(LIMIT_DEFAULT).min(READ_EVENTS_MAX);
    query.end()?;
    let log = api.facilitator.log();
    let head = *log.head().borrow();
    let (mut body, mut count) = (Vec::new(), 0);
    while count < limit && body.len() < ANSWER_BYTES {
        let page = log.read_lines(after, PAGE_LINES.min(limit - count)).await;
        let page = page.map_err(|error| api.fault(error.into()))?;
        if page.is_empty() {
            break;
        }
        count += page.len();
        after += page.len() as u64;
        for line in page {
            body.extend_from_slice(&line);
            body.push(b'\n');
        }
    }
    let headers =
        [(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, NO_STORE), (HEAD, HeaderValue::from(head))];
    Ok((headers, body).into_response())
}
