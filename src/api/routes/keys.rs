//! `POST` and `GET /v1/keys`, `DELETE /v1/keys/{id}`: API keys, for the operator.
//!
//! A key's text is in the answer to its making and nowhere else.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use ccd402_app::keys::PAGE_MAX;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{StatusCode, Uri};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::wire::keys::{CreatedKey, KeyPage, NewKey, ShownKey};
use crate::{body, reply};

/// Keys of a page where nothing is said.
const PAGE_DEFAULT: usize = 100;

/// Longest explanation of what is wrong with a body.
const DETAIL_CHARS_MAX: usize = 300;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let body = body::read(&api, request).await?;
    let asked: NewKey = serde_json::from_slice(&body).map_err(not_understood)?;
    let created = api.access.keys.create(asked.terms()).await;
    let created = created.map_err(|error| api.fault(error))?.map_err(refused)?;
    let text = created.text.reveal();
    let answer = CreatedKey { shown: ShownKey::of(&created.key), key: &text };
    let mut response = reply::json(StatusCode::CREATED, &answer);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let mut query = Query::of(&uri)?;
    let after = query.take("after")?;
    let limit = query.take("limit")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    query.end()?;
    let keys = api.access.keys.list(after, limit);
    let last = keys.last().map(|key| key.id());
    let next = last.filter(|last| !api.access.keys.list(Some(*last), 1).is_empty());
    let keys = keys.iter().map(|key| ShownKey::of(key)).collect();
    Ok(reply::json(StatusCode::OK, &KeyPage { keys, next }))
}

pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let id = id.parse().map_err(|_| refused(Rejection::of(ReasonCode::KeyNotFound)))?;
    let revoked = api.operations.revoke_key(caller.key, &api.access.keys, id).await;
    let revoked = revoked.map_err(|error| api.fault(error))?;
    let key = revoked.map_err(refused)?;
    Ok(reply::json(StatusCode::OK, &ShownKey::of(&key)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn not_understood(error: serde_json::Error) -> Problem {
    let detail = format!("the body is no new key: {error}");
    Problem::malformed(detail.chars().take(DETAIL_CHARS_MAX).collect::<String>())
}

fn refused(rejection: Rejection) -> Problem {
    let status = match rejection.code {
        ReasonCode::KeyNotFound => StatusCode::NOT_FOUND,
        ReasonCode::KeyLimitReached => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::rejected(status, rejection)
}
