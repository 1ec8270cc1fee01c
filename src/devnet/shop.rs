//! The small resource server of the devnet, and what its gate charges.
//!
//! It knows nothing of payments: that is the point of a gate.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::preset::Preset;
use ccd402_gate::price::Price;
use ccd402_gate::routes::{Route, Routes};

/// Costs 1.5 CCD; readers must be 18.
pub const REPORT: &str = "/report";
/// Costs 0.5 CCD; anybody may read it.
pub const ARTICLE: &str = "/article";
/// Costs 2 EURR; anybody may read it.
pub const TOKEN_ARTICLE: &str = "/token-article";
/// Costs 0.5 CCD; fails at first, as servers do.
pub const FLAKY: &str = "/flaky";
/// Free.
pub const FREE: &str = "/free";

/// What the report says.
pub const REPORT_TEXT: &str = "The report, for adults only: wine sales rose by 4 % this autumn.\n";

/// The shop.
pub fn router() -> Router {
    let visits = std::sync::Arc::new(AtomicU64::new(0));
    let flaky = move || {
        let visit = visits.fetch_add(1, Ordering::Relaxed);
        async move {
            if visit.is_multiple_of(2) {
                (StatusCode::INTERNAL_SERVER_ERROR, "The shop stumbled.\n")
            } else {
                (StatusCode::OK, "The shop is back on its feet.\n")
            }
        }
    };
    Router::new()
        .route(REPORT, get(|| async { REPORT_TEXT }))
        .route(ARTICLE, get(|| async { "The article: how to brew tea.\n" }))
        .route(TOKEN_ARTICLE, get(|| async { "The article that costs tokens.\n" }))
        .route(FLAKY, get(flaky))
        .route(FREE, get(|| async { "Free as air.\n" }))
}

/// What its gate charges.
///
/// # Errors
/// Never, as the routes are; the constructors check them.
pub fn routes(pay_to: AccountAddress) -> anyhow::Result<Routes> {
    let route = |path: &str, price: &str, decimals, identity| -> anyhow::Result<Route> {
        let price = Price::parse(price, decimals)?;
        Ok(Route {
            identity,
            mime_type: Some("text/plain".to_owned()),
            ..Route::new(path.parse()?, price, pay_to)
        })
    };
    let adults = Preset { min_age: Some(18), ..Preset::default() };
    Ok(Routes::new(vec![
        route(REPORT, "1.5 CCD", None, adults)?,
        route(ARTICLE, "0.5 CCD", None, Preset::default())?,
        route(TOKEN_ARTICLE, "2 EURR", Some(6), Preset::default())?,
        route(FLAKY, "0.5 CCD", None, Preset::default())?,
    ])?)
}
