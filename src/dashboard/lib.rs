//! The dashboard: pages for people over what the facilitator knows.
//!
//! Drawn on the server and useful without a script; nothing comes from anywhere but this binary. It
//! reads through the use cases and decides nothing; what operators do is written down by `app`.

mod assets;
mod attempts;
mod caller;
mod chart;
mod dashboard;
mod fault;
mod guard;
mod live;
pub mod options;
mod origin;
mod page;
mod pages;
pub mod parts;
mod query;
mod scene;
mod session;
mod shown;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::options::Options;
use crate::pages::{
    act, deliveries, download, leaders, operations, overview, past, sign_in, verification,
    verifications,
};
use crate::parts::Parts;

/// Largest form that is read: a key, a path and a token are all that there is to send.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Every page, under `/dashboard`.
pub fn router(parts: Parts, options: Options) -> Router {
    let dashboard = Arc::new(Dashboard::new(parts, options));
    let pages = Router::new()
        .route("/", get(overview::overview))
        .route("/live", get(overview::live))
        .route("/verifications", get(verifications::list))
        .route("/verifications.csv", get(download::download))
        .route("/verifications/live", get(verifications::live))
        .route("/verifications/{id}", get(verification::show))
        .route("/verifications/{id}/redeliver", post(deliveries::redeliver))
        .route("/verifications/{id}/live", get(verification::live))
        .route("/leaders", get(leaders::leaders))
        .route("/past", get(past::form).post(past::ask))
        .route("/past/{position}", get(past::overview))
        .route("/past/{position}/leaders", get(past::leaders))
        .route("/past/{position}/verifications", get(past::verifications))
        .route("/past/{position}/verifications.csv", get(past::download))
        .route("/past/{position}/verifications/{id}", get(past::verification))
        .route("/operations", get(operations::show))
        .route("/operations/live", get(operations::live))
        .route("/operations/jobs/{id}/retry", post(act::retry_job))
        .route("/operations/jobs/{id}/drop", post(act::drop_job))
        .route("/operations/keys/{id}/revoke", post(act::revoke_key))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{file}", get(assets::file))
        .fallback(async || Fault::NotFound);
    Router::new()
        // People end addresses with a slash.
        .route("/dashboard/", get(overview::overview))
        .nest("/dashboard", pages)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&dashboard), guard::guard))
        .with_state(dashboard)
}
