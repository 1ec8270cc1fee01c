//! `DELETE /v1/webhooks/{id}`: a webhook is gone for good, 204.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;

use super::{find, managed, to_its_end};
use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let id = find(&api, &managed(&caller)?, &id)?.id;
    let webhooks = Arc::clone(&api.webhooks);
    to_its_end(&api, async move { webhooks.delete(id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
