//! The x402 middleware: a tower layer and the reverse proxy made of it.
//!
//! A request to a route that costs something is answered with 402 and offers until it carries a
//! payment that the facilitator finds good; then, and only then, it reaches the server behind. The
//! gate keeps no state and never sees the chain: its offers carry a seal, its facilitator decides.
//! Everything that is unknown, unclear or unanswered means "not paid".
//!
//! As a layer of one's own server:
//!
//! ```no_run
//! # use std::path::Path;
//! # use std::sync::Arc;
//! # use axum::{Router, routing::get};
//! use ccd402_client::http::{HttpFacilitator, Options as FacilitatorOptions};
//! use ccd402_domain::preset::Preset;
//! use ccd402_gate::error::Error;
//! use ccd402_gate::gate::{Gate, Options, network_of};
//! use ccd402_gate::layer::GateLayer;
//! use ccd402_gate::price::{Asked, Price, Pricing};
//! use ccd402_gate::routes::{Route, Routes};
//! use ccd402_gate::secret::Secret;
//!
//! /// Two CCD for what is asked for in full, half a CCD for the rest.
//! fn by_size(asked: &Asked) -> Result<Vec<Price>, Error> {
//!     let is_full = asked.uri.query() == Some("full");
//!     Ok(vec![Price::parse(if is_full { "2 CCD" } else { "0.5 CCD" }, None)?])
//! }
//!
//! # async fn report() -> &'static str { "" }
//! # async fn app() -> Result<Router, Box<dyn std::error::Error>> {
//! let options = FacilitatorOptions::new("http://127.0.0.1:4020")?;
//! let facilitator = Arc::new(HttpFacilitator::new(options)?);
//! let network = network_of(&*facilitator).await?;
//! let secret = Secret::read_or_create(Path::new("gate.secret"))?;
//! let pay_to = "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G".parse()?;
//! let prices = vec![Price::parse("1.5 CCD", None)?, Price::parse("0.05 EURR", Some(6))?];
//! let routes = Routes::new(vec![
//!     Route {
//!         identity: Preset { min_age: Some(18), ..Preset::default() },
//!         ..Route::new("/report".parse()?, prices, pay_to)
//!     },
//!     Route::new("/articles/*".parse()?, Pricing::by_sync(by_size), pay_to),
//! ])?;
//! let gate = Arc::new(Gate::new(Options::new(routes, secret, facilitator, network)));
//! let app = Router::new().route("/report", get(report)).layer(GateLayer::new(gate));
//! # Ok(app)
//! # }
//! ```

mod answer;
pub mod challenge;
pub mod error;
mod facilitator;
mod fee_payer;
mod forward;
pub mod gate;
pub mod layer;
mod limit;
mod listed;
mod negotiate;
mod offer;
mod page;
mod presented;
pub mod price;
pub mod proxy;
mod reservation;
pub mod routes;
pub mod secret;
mod server;
mod story;
mod target;
mod upstream;
pub mod ways;
