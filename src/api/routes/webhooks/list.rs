//! `GET /v1/webhooks`: the tenant's webhooks, or all with `operate`; without their secrets.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ccd402_app::webhooks::manage::PAGE_MAX;
use http::{StatusCode, Uri};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::wire::webhooks::{ShownWebhook, WebhookPage};

/// Webhooks of a page where nothing is said.
const PAGE_DEFAULT: usize = 100;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let reach = caller.reach()?;
    let mut query = Query::of(&uri)?;
    let after = query.take("after")?;
    let limit = query.take("limit")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    query.end()?;
    let found = api.webhooks.list(&reach, after, limit);
    let last = found.last().map(|webhook| webhook.id);
    let next = last.filter(|last| !api.webhooks.list(&reach, Some(*last), 1).is_empty());
    let now = api.facilitator.clock().now();
    let webhooks = found.iter().map(|webhook| ShownWebhook::of(webhook, now)).collect();
    Ok(reply::json(StatusCode::OK, &WebhookPage { webhooks, next }))
}
