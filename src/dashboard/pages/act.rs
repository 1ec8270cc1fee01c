//! What operators do: `POST /dashboard/operations/{jobs|keys}/{id}/…`. Each needs the scope `operate`,
//! and is written down before it is done.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use ccd402_app::operate::JobError;
use ccd402_app::ports::queue::{JobId, Queued};
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::pages::sign_in::Token;

pub(crate) async fn retry_job(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(token): Form<Token>,
) -> Result<Response, Fault> {
    let id = job(&dashboard, &caller, &id, &token)?;
    done(dashboard.operations.retry_job(caller.key, id).await)?;
    Ok(back(&caller))
}

pub(crate) async fn drop_job(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(token): Form<Token>,
) -> Result<Response, Fault> {
    let id = job(&dashboard, &caller, &id, &token)?;
    done(dashboard.operations.drop_job(caller.key, id).await)?;
    Ok(back(&caller))
}

pub(crate) async fn revoke_key(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(token): Form<Token>,
) -> Result<Response, Fault> {
    must_be_ours(&dashboard, &caller, &token)?;
    let id = id.parse().map_err(|_| Fault::NotFound)?;
    let revoked = dashboard.operations.revoke_key(caller.key, &dashboard.keys, id).await?;
    revoked.map_err(refused)?;
    Ok(back(&caller))
}

/// Before anything else is looked at.
fn must_be_ours(dashboard: &Dashboard, caller: &Caller, token: &Token) -> Result<(), Fault> {
    token.must_be_of(dashboard, caller)?;
    caller.must_operate()
}

fn job(dashboard: &Dashboard, caller: &Caller, id: &str, token: &Token) -> Result<JobId, Fault> {
    must_be_ours(dashboard, caller, token)?;
    id.parse().map_err(|_| Fault::NotFound)
}

fn done(acted: Result<Result<Queued, Rejection>, JobError>) -> Result<(), Fault> {
    match acted {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(rejection)) => Err(refused(rejection)),
        Err(JobError::Ours(error)) => Err(error.into()),
        Err(JobError::Queue(error)) => Err(error.into()),
    }
}

fn refused(rejection: Rejection) -> Fault {
    match rejection.code {
        ReasonCode::JobNotFound | ReasonCode::KeyNotFound => Fault::NotFound,
        _ => Fault::Refused(rejection),
    }
}

/// To what has changed.
fn back(caller: &Caller) -> Response {
    Redirect::to(&format!("{}/operations", caller.base)).into_response()
}
