//! The only facilitator crate that names concordium-rust-sdk: nodes, follower, identity proofs,
//! wallets.
//!
//! It answers the questions of the port `Chain` from real nodes, and it pays for the client. It
//! decides nothing about payments: what a fact means is `domain`'s business.

mod backoff;
pub mod codec;
mod error;
mod node;
pub mod nodes;
pub mod wallet;

pub use backoff::Backoff;
pub use error::Error;
