//! The operations port: probes and metrics, apart from what callers use. It knows no keys, so it
//! belongs on loopback or a network of one's own; it says nothing about single verifications.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::ready::Readiness;
use crate::routes::{probes, unknown};

/// Text format 0.0.4 of Prometheus.
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Writes all metrics down.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Ops {
    readiness: Readiness,
    render: Render,
}

impl FromRef<Ops> for Readiness {
    fn from_ref(ops: &Ops) -> Self {
        ops.readiness.clone()
    }
}

/// Routes of the operations port.
pub fn router(readiness: Readiness, render: Render) -> Router {
    Router::new()
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(metrics))
        .fallback(unknown::route_not_found)
        .with_state(Ops { readiness, render })
}

async fn metrics(State(ops): State<Ops>) -> Response {
    ([(CONTENT_TYPE, PROMETHEUS)], (ops.render)()).into_response()
}
