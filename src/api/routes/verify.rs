//! `POST /verify`: whether a payment is good. A refused payment is an answer, with status 200.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ccd402_app::answer::{Answer, Subject};
use ccd402_app::verify::Call;
use ccd402_domain::ids::ReservationId;
use ccd402_domain::key::scope::Scope;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::VerifyResponse;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::{body, headers, reply};

pub(crate) async fn verify(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Submit)?;
    let key = headers::idempotency_key(request.headers())?;
    let asked = headers::preferred_wait(request.headers()).unwrap_or(api.options.wait_default);
    let body = body::read(&api, request).await?;
    let key = headers::payment_key(key, &body)?;
    let wait = api.wait(asked);
    let call = Call { tenant: &caller.tenant, body: &body, key: key.as_ref(), wait: wait.duration };
    let answer = api.facilitator.verify(call).await.map_err(|error| api.fault(error))?;
    no_conflict(&answer)?;
    Ok(reply::json(StatusCode::OK, &response(&api, answer)))
}

/// An Idempotency-Key with another body is no answer about a payment, but a conflict.
///
/// # Errors
/// 409.
pub(crate) fn no_conflict(answer: &Answer) -> Result<(), Problem> {
    match &answer.result {
        Err(rejection) if rejection.code == ReasonCode::IdempotencyKeyReused => {
            Err(Problem::rejected(StatusCode::CONFLICT, rejection.clone()))
        }
        _ => Ok(()),
    }
}

/// What we add to an answer: where to read more, and the hold that may be released.
pub(crate) fn extra(
    api: &Api,
    subject: &Subject,
    reservation: Option<ReservationId>,
) -> Map<String, Value> {
    let mut extra = Map::new();
    extra.insert("verification".to_owned(), subject.verification.to_string().into());
    extra.insert("statusUrl".to_owned(), api.status_url(subject.verification).into());
    if let Some(reservation) = reservation {
        extra.insert("reservation".to_owned(), reservation.to_string().into());
    }
    extra
}

fn response(api: &Api, answer: Answer) -> VerifyResponse {
    let (reservation, rejection) = match answer.result {
        Ok(reservation) => (reservation, None),
        Err(rejection) => (None, Some(rejection)),
    };
    let is_valid = rejection.is_none();
    let (invalid_reason, invalid_message) =
        rejection.map(|rejection| (rejection.code.to_string(), rejection.detail)).unzip();
    VerifyResponse {
        is_valid,
        invalid_reason,
        invalid_message,
        payer: answer.subject.as_ref().map(|subject| subject.payer.to_string()),
        extra: answer.subject.as_ref().map(|subject| extra(api, subject, reservation)),
    }
}
