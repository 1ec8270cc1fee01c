//! `POST /v1/verifications`: takes a payment in and answers at once, 202; or many of them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_app::submit::Submitted;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use http::header::{HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::routes::batch;
use crate::wire::{Accepted, PENDING, Verification};
use crate::{body, headers, items, reply};

pub(crate) async fn submit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Submit)?;
    let key = headers::idempotency_key(request.headers())?;
    let is_lines = is_lines(request.headers())?;
    let bytes_max = api.options.body_bytes_max;
    let declared = body::declared_length(request.headers());
    let is_small = !is_lines && declared.is_some_and(|length| length <= bytes_max as u64);
    // What may be a large batch is let in only as far as there is memory for such.
    let permit = if is_small { None } else { Some(api.batches.try_acquire()) };
    let permit = permit.transpose().map_err(|_| Problem::overloaded())?;
    let read_max = if is_small { bytes_max } else { api.options.batch_bytes_max };
    let body = body::read_bounded(&api, request, read_max).await?;
    let answer = if is_lines {
        batch::submit(&api, &caller, &items::of_lines(&body), key.as_ref()).await
    } else if body.trim_ascii_start().first() == Some(&b'[') {
        let cut = items::of_array(&body);
        let cut = cut.map_err(|_| Problem::malformed("the array is not closed as it should be"))?;
        batch::submit(&api, &caller, &cut, key.as_ref()).await
    } else if body.len() > bytes_max {
        Err(body::too_large(bytes_max))
    } else {
        submit_one(&api, &caller.tenant, &body, key.as_ref()).await
    };
    drop(permit);
    answer
}

async fn submit_one(
    api: &Api,
    tenant: &TenantId,
    body: &[u8],
    key: Option<&IdempotencyKey>,
) -> Result<Response, Problem> {
    let submitted = api.facilitator.submit(tenant, body, key).await;
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

/// Whether the body is a batch of lines.
///
/// # Errors
/// 415 where it is neither that nor JSON.
fn is_lines(headers: &HeaderMap) -> Result<bool, Problem> {
    match body::media_type(headers) {
        media if media.eq_ignore_ascii_case("application/json") => Ok(false),
        media if media.eq_ignore_ascii_case("application/x-ndjson") => Ok(true),
        _ => Err(body::unsupported(
            "send JSON, with Content-Type: application/json, or lines of it, with \
             application/x-ndjson",
        )),
    }
}

fn refused(rejection: Rejection) -> Problem {
    let status = match rejection.code {
        ReasonCode::IdempotencyKeyReused => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::rejected(status, rejection)
}
