//! `POST` and `GET /v1/keys`, `DELETE /v1/keys/{id}`: API keys, for the operator.
//!
//! A key's text is in the answer to its making and nowhere else.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use ccd402_app::keys::PAGE_MAX;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::{KeyName, Terms};
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::{Scope, Scopes};
use ccd402_domain::key::state::Key;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::{body, reply};

/// Keys of a page where nothing is said.
const PAGE_DEFAULT: usize = 100;

/// Longest explanation of what is wrong with a body.
const DETAIL_CHARS_MAX: usize = 300;

/// Body of `POST /v1/keys`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKey {
    #[serde(default)]
    tenant: TenantId,
    name: KeyName,
    scopes: Scopes,
    #[serde(default)]
    limits: NewLimits,
    expires_at: Option<DateTime<Utc>>,
}

/// Limits of a new key; those that are absent have their defaults.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewLimits {
    rate: Option<NonZeroU32>,
    burst: Option<NonZeroU32>,
    in_flight: Option<NonZeroU32>,
}

/// A key, without its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownKey<'a> {
    id: KeyId,
    prefix: &'a str,
    tenant: &'a TenantId,
    name: &'a KeyName,
    scopes: Scopes,
    limits: Limits,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

/// A key that was made just now, with its text.
#[derive(Serialize)]
struct CreatedKey<'a> {
    #[serde(flatten)]
    shown: ShownKey<'a>,
    key: &'a str,
}

/// A page of keys, oldest first.
#[derive(Serialize)]
struct KeyPage<'a> {
    keys: Vec<ShownKey<'a>>,
    /// For `?after=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<KeyId>,
}

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
    let revoked = api.access.keys.revoke(id).await.map_err(|error| api.fault(error))?;
    let key = revoked.map_err(refused)?;
    Ok(reply::json(StatusCode::OK, &ShownKey::of(&key)))
}

impl NewKey {
    fn terms(self) -> Terms {
        let Self { tenant, name, scopes, limits, expires_at } = self;
        Terms { tenant, name, scopes, limits: limits.or_default(), expires_at }
    }
}

impl NewLimits {
    fn or_default(&self) -> Limits {
        let default = Limits::default();
        Limits {
            rate: self.rate.unwrap_or(default.rate),
            burst: self.burst.unwrap_or(default.burst),
            in_flight: self.in_flight.unwrap_or(default.in_flight),
        }
    }
}

impl<'a> ShownKey<'a> {
    fn of(key: &'a Key) -> Self {
        let created = &key.created;
        Self {
            id: created.key,
            prefix: &created.prefix,
            tenant: &created.tenant,
            name: &created.name,
            scopes: created.scopes,
            limits: created.limits,
            created_at: created.created_at,
            expires_at: created.expires_at,
            revoked_at: key.revoked_at,
        }
    }
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
