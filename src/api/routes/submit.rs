//! `POST /v1/verifications`: takes a payment in and answers at once, 202.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_app::submit::Submitted;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::{Accepted, PENDING, Verification};
use crate::{body, headers, reply};

pub(crate) async fn submit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Submit)?;
    let key = headers::idempotency_key(request.headers())?;
    let body = body::read(&api, request).await?;
    let submitted = api.facilitator.submit(&caller.tenant, &body, key.as_ref()).await;
    let submitted = submitted.map_err(|error| api.fault(error))?.map_err(refused)?;
    let (url, mut response) = match submitted {
        Submitted::New(id) => {
            let status_url = api.status_url(id);
            let accepted = Accepted { id, status: PENDING, status_url: &status_url };
            let response = reply::json(StatusCode::ACCEPTED, &accepted);
            (status_url, response)
        }
        Submitted::Repeated(state) => {
            let url = api.status_url(state.id);
            let status = if state.is_decided() { StatusCode::OK } else { StatusCode::ACCEPTED };
            let now = api.facilitator.clock().now();
            let response = reply::json(status, &Verification::of(&state, &url, now));
            (url, response)
        }
    };
    let location = HeaderValue::try_from(url).expect("a public URL and a UUID are visible ASCII");
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn refused(rejection: Rejection) -> Problem {
    let status = match rejection.code {
        ReasonCode::IdempotencyKeyReused => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::rejected(status, rejection)
}
