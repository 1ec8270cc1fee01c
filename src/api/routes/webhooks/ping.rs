//! `POST /v1/webhooks/{id}/ping`: sends a message that tells of nothing, and says what came back.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::{find, managed};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::webhooks::Pinged;
use crate::{headers, reply};

pub(crate) async fn ping(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    headers::idempotency_key(&headers)?;
    let webhook = find(&api, &managed(&caller)?, &id)?;
    let came = api.webhooks.ping(&webhook).await.map_err(|error| api.fault(error))?;
    Ok(reply::json(StatusCode::OK, &Pinged::of(came)))
}
