//! `GET /v1/verifications/{id}/events`: everything that happened to a verification, oldest first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::reply;
use crate::routes::show::{not_found, verification_id};
use crate::wire::event::{EventTold, History};

pub(crate) async fn events(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    let reach = caller.reach()?;
    let id = verification_id(&id)?;
    // Before the stream is read: what it holds beyond that may or may not be in the answer.
    let as_of = *api.facilitator.log().head().borrow();
    let found = api.facilitator.history(&reach, id).await.map_err(|error| api.fault(error))?;
    let found = found.ok_or_else(not_found)?;
    let events = found.iter().map(EventTold::of).collect();
    Ok(reply::json(StatusCode::OK, &History { verification: id, as_of, events }))
}
