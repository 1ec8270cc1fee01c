//! `GET /v1/webhooks/{id}`: a webhook as it stands, without its secret.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::find;
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::reply;
use crate::wire::webhooks::ShownWebhook;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    let webhook = find(&api, &caller.reach()?, &id)?;
    let now = api.facilitator.clock().now();
    Ok(reply::json(StatusCode::OK, &ShownWebhook::of(&webhook, now)))
}
