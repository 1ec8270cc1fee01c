//! `GET /v1/webhooks/{id}/deliveries`: what was sent to a webhook, and what it answered, in pages.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ccd402_app::webhooks::deliveries::{Asked, VERIFICATIONS_MAX};
use ccd402_domain::webhook::event::DeliveryOutcome;
use http::{StatusCode, Uri};

use super::find;
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::wire::webhooks::{Delivery, DeliveryPage};

pub(crate) async fn deliveries(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let webhook = find(&api, &caller.reach()?, &id)?;
    let page = api.webhooks.deliveries(webhook.id, asked(&uri)?).await;
    let page = page.map_err(|error| api.fault(error))?;
    let deliveries = page.deliveries.iter().map(Delivery::of).collect();
    Ok(reply::json(StatusCode::OK, &DeliveryPage { deliveries, next: page.next }))
}

fn asked(uri: &Uri) -> Result<Asked, Problem> {
    let mut query = Query::of(uri)?;
    let outcome: Option<String> = query.take("outcome")?;
    let asked = Asked {
        verification: query.take("verification")?,
        outcome: outcome.as_deref().map(outcome_of).transpose()?,
        after: query.take("after")?,
        max: query.take("limit")?.unwrap_or(VERIFICATIONS_MAX),
    };
    query.end()?;
    Ok(asked)
}

fn outcome_of(text: &str) -> Result<DeliveryOutcome, Problem> {
    match text {
        "delivered" => Ok(DeliveryOutcome::Delivered),
        "failed" => Ok(DeliveryOutcome::Failed),
        "given_up" => Ok(DeliveryOutcome::GivenUp),
        _ => Err(Problem::malformed("outcome is delivered, failed or given_up")),
    }
}
