//! `GET /v1/verifications/{id}/events`: everything that happened to a verification, oldest first;
//! `?minPosition=` waits for an event that the log must have.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, Uri};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::routes::show::{not_found, verification_id};
use crate::wire::event::{EventTold, History};

pub(crate) async fn events(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let reach = caller.reach()?;
    let mut query = Query::of(&uri)?;
    let least = query.take("minPosition")?;
    query.end()?;
    let id = verification_id(&id)?;
    api.reads.log_reaches(least).await.map_err(|error| api.fault(error))?;
    // Before the stream is read: what it holds beyond that may or may not be in the answer.
    let head = *api.facilitator.log().head().borrow();
    let found = api.facilitator.history(&reach, id).await.map_err(|error| api.fault(error))?;
    let found = found.ok_or_else(not_found)?;
    let as_of = found.last().map_or(head, |last| last.position.max(head));
    let events = found.iter().map(EventTold::of).collect();
    Ok(reply::json(StatusCode::OK, &History { verification: id, as_of, events }))
}
