//! `POST /v1/projections:verify`: proves that replaying equals living. The log is folded again from
//! its first event into rows of its own, and these are compared with the ones that are read: lines
//! of NDJSON while it goes on, the last with the outcome.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use ccd402_app::compare::Comparing;
use ccd402_app::error::Error;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::Compared;
use ccd402_domain::key::scope::Scope;
use futures::stream;
use http::Uri;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::log::{NDJSON, NO_STORE};
use crate::routes::rebuild::{TELL_EVERY, line};
use crate::wire::projections::CompareStep;

pub(crate) async fn compare(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    Query::of(&uri)?.end()?;
    // One at a time: each reads the whole log.
    let permit = Arc::clone(&api.checks).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::overloaded())?;
    let comparing = api.reads.compare().await.map_err(|error| api.fault(error))?;
    let (progress, seen) = watch::channel((comparing.position(), comparing.until()));
    let work = AbortOnDropHandle::new(tokio::spawn(compare_all(comparing, progress)));
    let told = Told { work, seen, api, _permit: permit };
    let steps = stream::unfold(Some(told), |told| async move {
        let (step, told) = told?.step().await;
        Some((Ok::<_, Infallible>(line(&step)), told))
    });
    let headers = [(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, NO_STORE)];
    Ok((headers, Body::from_stream(steps)).into_response())
}

/// What was replayed, and up to where it will be.
type Progress = (Position, Position);

async fn compare_all(
    mut comparing: Comparing,
    progress: watch::Sender<Progress>,
) -> Result<Compared, Error> {
    while comparing.step().await? {
        progress.send_replace((comparing.position(), comparing.until()));
    }
    comparing.end().await
}

/// A comparison that somebody is told of; who stops listening ends it.
struct Told {
    work: AbortOnDropHandle<Result<Compared, Error>>,
    seen: watch::Receiver<Progress>,
    api: Arc<Api>,
    _permit: OwnedSemaphorePermit,
}

impl Told {
    async fn step(mut self) -> (CompareStep, Option<Self>) {
        let failed = |reason: &str| CompareStep::Failed { reason: reason.to_owned() };
        let done = tokio::select! {
            done = tokio::time::timeout(TELL_EVERY, &mut self.work) => done,
            () = self.api.options.stopping.cancelled() => return (failed("the server stops"), None),
        };
        match done {
            Err(_) => {
                let (position, head) = *self.seen.borrow();
                (CompareStep::Replayed { position, head }, Some(self))
            }
            Ok(Ok(Ok(compared))) => (CompareStep::of(compared), None),
            Ok(Ok(Err(error))) => (failed(&self.api.fault(error).detail), None),
            Ok(Err(error)) => {
                tracing::error!(%error, "a comparison of the read model panicked");
                (failed("a fault on our side"), None)
            }
        }
    }
}
