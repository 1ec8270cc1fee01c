//! `POST /v1/verifications/{id}/release`: gives a reservation back, 204.
//!
//! A release needs no Idempotency-Key: its reservation is one. A key that comes is checked only.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use ccd402_domain::ids::ReservationId;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::routes::show::verification_id;
use crate::wire::Release;
use crate::{body, headers};

pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<StatusCode, Problem> {
    caller.must(Scope::Submit)?;
    headers::idempotency_key(request.headers())?;
    let id = verification_id(&id)?;
    let body = body::read(&api, request).await?;
    let Release { reservation } = serde_json::from_slice(&body)
        .map_err(|_| Problem::malformed("the body is {\"reservation\": \"<uuid>\"}"))?;
    let released = api.facilitator.release(&caller.tenant, id, ReservationId(reservation)).await;
    match released.map_err(|error| api.fault(error))? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(rejection) if rejection.code == ReasonCode::VerificationNotFound => {
            Err(Problem::rejected(StatusCode::NOT_FOUND, rejection))
        }
        Err(rejection) => Err(Problem::rejected(StatusCode::CONFLICT, rejection)),
    }
}
