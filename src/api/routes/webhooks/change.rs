//! `PATCH /v1/webhooks/{id}`: changes what is given, and disables or enables a webhook.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;

use super::{find, managed, not_understood, to_its_end};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::webhooks::{ShownWebhook, WebhookChanges};
use crate::{body, reply};

pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let id = find(&api, &managed(&caller)?, &id)?.id;
    let body = body::read(&api, request).await?;
    let changes: WebhookChanges = serde_json::from_slice(&body).map_err(not_understood)?;
    let webhooks = Arc::clone(&api.webhooks);
    let case = async move { webhooks.change(id, changes.asked()).await };
    let webhook = to_its_end(&api, case).await?;
    let now = api.facilitator.clock().now();
    Ok(reply::json(StatusCode::OK, &ShownWebhook::of(&webhook, now)))
}
