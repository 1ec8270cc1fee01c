//! `POST /v1/projections:rebuild`: has the read model built again from the first event, beside the
//! one that is read, and says how far that is: lines of NDJSON, the last once it is swapped in.
//!
//! Who stops listening stops nothing; who asks while one is built is told of that one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use ccd402_app::builds::Asked;
use ccd402_domain::key::scope::Scope;
use futures::stream;
use http::Uri;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::routes::log::{NDJSON, NO_STORE};
use crate::wire::projections::RebuildStep;

/// Time between two lines: silence is not to be told from a connection that is gone.
pub(super) const TELL_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn rebuild(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    caller.must(Scope::Operate)?;
    Query::of(&uri)?.end()?;
    let told = Told { asked: api.reads.ask_for_rebuild(), api };
    let steps = stream::unfold(Some(told), |told| async move {
        let (step, told) = told?.step().await;
        Some((Ok::<_, Infallible>(line(&step)), told))
    });
    let headers = [(CONTENT_TYPE, NDJSON), (CACHE_CONTROL, NO_STORE)];
    Ok((headers, Body::from_stream(steps)).into_response())
}

/// A value as a line.
pub(super) fn line<T: Serialize>(step: &T) -> Bytes {
    let mut line = reply::bytes(step).to_vec();
    line.push(b'\n');
    line.into()
}

/// A rebuild that somebody is told of.
struct Told {
    asked: Asked,
    api: Arc<Api>,
}

impl Told {
    async fn step(mut self) -> (RebuildStep, Option<Self>) {
        let ended = tokio::select! {
            ended = tokio::time::timeout(TELL_EVERY, self.asked.ended()) => ended,
            () = self.api.options.stopping.cancelled() => {
                return (RebuildStep::Failed { reason: "the server stops".to_owned() }, None);
            }
        };
        match ended {
            Err(_) => {
                let head = *self.api.reads.log().head().borrow();
                (RebuildStep::Building { position: self.asked.position(), head }, Some(self))
            }
            Ok(true) => {
                let position = self.api.reads.model().position().borrow().unwrap_or(0);
                (RebuildStep::Built { position }, None)
            }
            Ok(false) => {
                let reason = "it could not be built: the log of the server says why".to_owned();
                (RebuildStep::Failed { reason }, None)
            }
        }
    }
}
