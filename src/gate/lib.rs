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
//! use ccd402_gate::gate::{Gate, Options, network_of};
//! use ccd402_gate::layer::GateLayer;
//! use ccd402_gate::routes::{CHALLENGE_LIFE_DEFAULT, Price, Route, Routes};
//! use ccd402_gate::secret::Secret;
//!
//! # async fn report() -> &'static str { "" }
//! # async fn app() -> Result<Router, Box<dyn std::error::Error>> {
//! let options = FacilitatorOptions::new("http://127.0.0.1:4020")?;
//! let facilitator = Arc::new(HttpFacilitator::new(options)?);
//! let network = network_of(&*facilitator).await?;
//! let secret = Secret::read_or_create(Path::new("gate.secret"))?;
//! let routes = Routes::new(vec![Route {
//!     pattern: "/report".parse()?,
//!     methods: Route::methods_default(),
//!     price: Price::parse("1.5 CCD", None)?,
//!     pay_to: "3kBx2h5Y2veb4hZgAJWPrr8RyQESKm5TjzF3ti1QQ4VSYLwK1G".parse()?,
//!     identity: Preset { min_age: Some(18), ..Preset::default() },
//!     description: None,
//!     mime_type: None,
//!     challenge_life: CHALLENGE_LIFE_DEFAULT,
//! }])?;
//! let gate = Arc::new(Gate::new(Options::new(routes, secret, facilitator, network)));
//! let app = Router::new().route("/report", get(report)).layer(GateLayer::new(gate));
//! # Ok(app)
//! # }
//! ```

mod answer;
pub mod challenge;
pub mod error;
mod facilitator;
mod forward;
pub mod gate;
pub mod layer;
mod limit;
mod offer;
mod presented;
pub mod proxy;
mod reservation;
pub mod routes;
pub mod secret;
mod server;
mod target;
mod upstream;
