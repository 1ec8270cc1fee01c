//! `GET /v1/jobs`, `GET` and `DELETE /v1/jobs/{id}`, `POST /v1/jobs/{id}/retry`: the job queue, for the
//! operator.
//!
//! Dropping a job is safe: what the log still calls for is decided all the same, later.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use ccd402_app::operate::JobError;
use ccd402_app::ports::queue::{JobId, JobStatus, QueueError, Queued};
use ccd402_domain::key::scope::Scope;
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use http::StatusCode;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::wire::jobs::{JobPage, ShownJob};

/// Jobs of a page where nothing is said, and at most.
const PAGE_DEFAULT: usize = 100;
pub(crate) const PAGE_MAX: usize = 1_000;

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let mut query = Query::of(request.uri())?;
    let status: Option<String> = query.take("status")?;
    let status = status.as_deref().map_or(Ok(JobStatus::Waiting), status_of)?;
    let after: Option<JobId> = query.take("after")?;
    let limit = query.take("limit")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    query.end()?;
    let mut jobs = api.jobs.list(status, after, limit + 1).await.map_err(unavailable)?;
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| has_more).map(|last| last.id.0);
    let depth = api.jobs.depth().await.map_err(unavailable)?;
    Ok(reply::json(StatusCode::OK, &JobPage::of(&jobs, next, depth)))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let job = api.jobs.show(job_id(&id)?).await.map_err(unavailable)?;
    Ok(reply::json(StatusCode::OK, &ShownJob::of(&job.ok_or_else(not_found)?)))
}

pub(crate) async fn retry(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let acted = api.operations.retry_job(caller.key, job_id(&id)?).await;
    Ok(reply::json(StatusCode::OK, &ShownJob::of(&done(&api, acted)?)))
}

pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let acted = api.operations.drop_job(caller.key, job_id(&id)?).await;
    Ok(reply::json(StatusCode::OK, &ShownJob::of(&done(&api, acted)?)))
}

/// A text that is no id names no job.
fn job_id(id: &str) -> Result<JobId, Problem> {
    id.parse().map_err(|_| not_found())
}

/// The job to which something was done, or why nothing was.
fn done(api: &Api, acted: Result<Result<Queued, Rejection>, JobError>) -> Result<Queued, Problem> {
    match acted {
        Ok(Ok(job)) => Ok(job),
        Ok(Err(rejection)) if rejection.code == ReasonCode::JobRunning => {
            Err(Problem::of(StatusCode::CONFLICT, ReasonCode::JobRunning))
        }
        Ok(Err(_)) => Err(not_found()),
        Err(JobError::Queue(error)) => Err(unavailable(error)),
        Err(JobError::Ours(error)) => Err(api.fault(error)),
    }
}

fn not_found() -> Problem {
    Problem::of(StatusCode::NOT_FOUND, ReasonCode::JobNotFound)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unavailable(error: QueueError) -> Problem {
    tracing::warn!(%error, "the job queue could not be asked");
    Problem::of(StatusCode::SERVICE_UNAVAILABLE, ReasonCode::QueueUnavailable)
}

fn status_of(text: &str) -> Result<JobStatus, Problem> {
    match text {
        "waiting" => Ok(JobStatus::Waiting),
        "running" => Ok(JobStatus::Running),
        "dead" => Ok(JobStatus::Dead),
        _ => Err(Problem::malformed("status is waiting, running or dead")),
    }
}
