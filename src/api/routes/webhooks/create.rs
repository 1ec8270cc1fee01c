//! `POST /v1/webhooks`: makes a webhook of the caller's tenant, 201, with its secret.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_domain::key::scope::Scope;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

use super::{not_understood, to_its_end};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::webhooks::{NewWebhook, ShownWebhook};
use crate::{body, headers, reply};

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Submit)?;
    caller.must(Scope::Read)?;
    let key = headers::idempotency_key(request.headers())?;
    let body = body::read(&api, request).await?;
    let asked: NewWebhook = serde_json::from_slice(&body).map_err(not_understood)?;
    let webhooks = Arc::clone(&api.webhooks);
    let case = async move { webhooks.create(caller.tenant, asked.asked(), key.as_ref()).await };
    let (webhook, secret) = to_its_end(&api, case).await?;
    let shown = ShownWebhook::of(&webhook, api.facilitator.clock().now());
    let mut response = reply::json(StatusCode::CREATED, &shown.with(&secret));
    let url = api.url_of(&format!("/v1/webhooks/{}", webhook.id));
    let location = HeaderValue::try_from(url).expect("a public URL and a UUID are visible ASCII");
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
