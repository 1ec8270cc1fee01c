//! `GET /health`: whether the facilitator can do its work, in one word.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ccd402_protocol::facilitator::HealthResponse;
use http::StatusCode;

use crate::api::Api;
use crate::reply;

pub(crate) async fn health(State(api): State<Arc<Api>>) -> Response {
    let (status_code, status) = match api.health.check(api.options.block_age_max) {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(amiss) => (StatusCode::SERVICE_UNAVAILABLE, amiss.as_str()),
    };
    reply::json(status_code, &HealthResponse { status: status.to_owned() })
}
