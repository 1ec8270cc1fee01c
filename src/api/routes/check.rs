//! `POST /v1/events:verify`: checks every hash and link of the log, for operators, and says so while
//! it goes: one line of NDJSON a step, the last with the outcome.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use ccd402_app::ports::log::{CheckError, Position, READ_EVENTS_MAX};
use ccd402_domain::key::scope::Scope;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::OwnedSemaphorePermit;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::routes::log::{NDJSON, NO_STORE};
use crate::wire::check::Step;

pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    let mut query = Query::of(request.uri())?;
    let after = query.take("after")?.unwrap_or(0);
    query.end()?;
    let head = *api.facilitator.log().head().borrow();
    if after > head {
        let detail = format!("position {after} is beyond the head, which is {head}");
        return Err(Problem::malformed(detail));
    }
    // One at a time: each reads the whole log.
    let permit = Arc::clone(&api.checks).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::overloaded())?;
    let checking = Checking { api, after, head, _permit: permit };
    let steps = stream::unfold(Some(checking), |checking| async move {
        let (step, checking) = checking?.step().await;
        let mut line = reply::bytes(&step).to_vec();
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), checking))
    });
    let headers = [(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, NO_STORE)];
    Ok((headers, Body::from_stream(steps)).into_response())
}

/// A check under way.
struct Checking {
    api: Arc<Api>,
    after: Position,
    head: Position,
    _permit: OwnedSemaphorePermit,
}

impl Checking {
    async fn step(mut self) -> (Step, Option<Self>) {
        match self.api.facilitator.log().check(self.after, READ_EVENTS_MAX).await {
            Ok(checked) if checked.position >= self.head => {
                (Step::Whole { position: checked.position, hash: checked.hash }, None)
            }
            Ok(checked) => {
                self.after = checked.position;
                (Step::Checked { position: checked.position, head: self.head }, Some(self))
            }
            Err(CheckError::Damaged { position, reason }) => {
                tracing::error!(position, reason, "the log is damaged");
                (Step::Damaged { position, reason }, None)
            }
            Err(error @ CheckError::Read(_)) => {
                tracing::error!(%error, "the log cannot be checked");
                let reason = "the log cannot be read".to_owned();
                (Step::Unreadable { position: self.after + 1, reason }, None)
            }
        }
    }
}
