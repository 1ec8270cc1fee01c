//! `GET /v1/verifications/{id}`: a verification as it stands; `?wait=30s` waits for its outcome,
//! `?minPosition=` for an event that the log must have.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use ccd402_app::query::Seen;
use ccd402_domain::ids::VerificationId;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::wire::{Shown, Verification};
use crate::{headers, reply};

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let reach = caller.reach()?;
    let asked = headers::query_wait(request.uri())?;
    let least = Query::of(request.uri())?.take("minPosition")?;
    let id = verification_id(&id)?;
    api.reads.log_reaches(least).await.map_err(|error| api.fault(error))?;
    let wait = api.wait(asked);
    let found = api.facilitator.see(&reach, id, wait.duration).await;
    let found = found.map_err(|error| api.fault(error))?;
    let Seen { state, as_of } = found.ok_or_else(not_found)?;
    let now = api.facilitator.clock().now();
    let url = api.status_url(id);
    let verification = Verification::of(&state, &url, now);
    Ok(reply::json(StatusCode::OK, &Shown { as_of, verification }))
}

/// A text that is no id names nothing that is there.
///
/// # Errors
/// 404.
pub(crate) fn verification_id(text: &str) -> Result<VerificationId, Problem> {
    text.parse().map_err(|_| not_found())
}

/// There is no such verification, or none for this caller.
pub(crate) fn not_found() -> Problem {
    Problem::of(StatusCode::NOT_FOUND, ReasonCode::VerificationNotFound)
}
