//! The facilitator's HTTP API: routes, limits, problem details, and the server under them.
//!
//! It translates HTTP to use cases and back. It decides nothing: what a payment must be is the
//! domain's business, and the order of steps is `app`'s.

mod access;
mod api;
mod around;
mod body;
mod caller;
mod fault;
mod filter;
mod headers;
pub mod health;
mod items;
mod measure;
pub mod messages;
mod meter;
pub mod openapi;
pub mod ops;
pub mod options;
pub mod parts;
mod patience;
mod problem;
mod query;
pub mod rates;
pub mod ready;
mod reply;
mod request_id;
mod routes;
pub mod server;
mod sheet;
mod streams;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};

use crate::api::Api;
use crate::options::Options;
use crate::parts::Parts;
use crate::routes::{
    asset, check, compare, discovery, docs, errors, events, health as health_route, jobs, keys,
    list, log, probes, rebuild, release, settle, show, stats, stream, submit, supported, unknown,
    verify, webhooks,
};

/// Every route over these parts.
pub fn router(parts: Parts, options: Options) -> Router {
    let api = Arc::new(Api::new(parts, options));
    let webhook = get(webhooks::show).patch(webhooks::change).delete(webhooks::delete);
    Router::new()
        .route("/verify", post(verify::verify))
        .route("/settle", post(settle::settle))
        .route("/supported", get(supported::supported))
        .route("/discovery/resources", get(discovery::resources))
        .route("/health", get(health_route::health))
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready))
        .route("/v1/verifications", post(submit::submit).get(list::list))
        .route("/v1/verifications/{id}", get(show::show))
        .route("/v1/verifications/{id}/events", get(events::events))
        .route("/v1/verifications/{id}/release", post(release::release))
        .route("/v1/assets/{asset}", get(asset::show))
        .route("/v1/stats", get(stats::stats))
        .route("/v1/projections:rebuild", post(rebuild::rebuild))
        .route("/v1/projections:verify", post(compare::compare))
        .route("/v1/stream", get(stream::stream))
        .route("/v1/events", get(log::lines))
        .route("/v1/events:verify", post(check::check))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{id}", get(jobs::show).delete(jobs::remove))
        .route("/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/v1/webhooks/{id}", webhook)
        .route("/v1/webhooks/{id}/rotate-secret", post(webhooks::rotate_secret))
        .route("/v1/webhooks/{id}/ping", post(webhooks::ping))
        .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/v1/webhooks/{id}/deliveries/{position}/redeliver", post(webhooks::redeliver))
        .route("/errors/{code}", get(errors::page))
        .route("/openapi.json", get(docs::document))
        .route("/docs", get(docs::index))
        .route("/docs/", get(docs::front))
        .route("/docs/{file}", get(docs::file))
        .fallback(unknown::route_not_found)
        .method_not_allowed_fallback(unknown::method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), around::around))
        .with_state(api)
}
