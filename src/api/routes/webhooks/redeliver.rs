//! `POST /v1/webhooks/{id}/deliveries/{position}/redeliver`: sends one event again, now, and says what
//! came back.
//!
//! It needs no Idempotency-Key: the message that is sent has the id of the first. A key that comes is
//! checked only.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use http::{HeaderMap, StatusCode};

use super::{find, managed, refused, to_its_end};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::webhooks::Delivery;
use crate::{headers, reply};

pub(crate) async fn redeliver(
    State(api): State<Arc<Api>>,
    Path((id, position)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    headers::idempotency_key(&headers)?;
    let webhook = find(&api, &managed(&caller)?, &id)?;
    let position = position.parse();
    let position = position.map_err(|_| refused(Rejection::of(ReasonCode::DeliveryNotFound)))?;
    let webhooks = Arc::clone(&api.webhooks);
    let tried =
        to_its_end(&api, async move { webhooks.redeliver(webhook, position).await }).await?;
    Ok(reply::json(StatusCode::OK, &Delivery::of(&tried)))
}
