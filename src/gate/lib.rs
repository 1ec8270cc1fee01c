//! The x402 middleware: a tower layer and the reverse proxy made of it.
//!
//! A request to a route that costs something is answered with 402 and offers until it carries a
//! payment that the facilitator finds good; then, and only then, it reaches the server behind. The
//! gate keeps no state and never sees the chain: its offers carry a seal, its facilitator decides.
//! Everything that is unknown, unclear or unanswered means "not paid".

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
