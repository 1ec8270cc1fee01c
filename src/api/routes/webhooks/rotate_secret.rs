//! `POST /v1/webhooks/{id}/rotate-secret`: a new secret, shown now; the former one signs for a while.
//!
//! It needs no Idempotency-Key: where the answer was lost it is rotated once more, and all of these
//! secrets sign. A key that comes is checked only.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::{find, managed, to_its_end};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::webhooks::ShownWebhook;
use crate::{headers, reply};

pub(crate) async fn rotate_secret(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    headers::idempotency_key(&headers)?;
    let id = find(&api, &managed(&caller)?, &id)?.id;
    let webhooks = Arc::clone(&api.webhooks);
    let case = async move { webhooks.rotate_secret(id).await };
    let (webhook, secret) = to_its_end(&api, case).await?;
    let shown = ShownWebhook::of(&webhook, api.facilitator.clock().now());
    Ok(reply::json(StatusCode::OK, &shown.with(&secret)))
}
