//! The only facilitator crate that names concordium-rust-sdk: nodes, follower, identity proofs,
//! wallets.
//!
//! It answers the questions of the port `Chain` from real nodes, and it pays for the client. It
//! decides nothing about payments: what a fact means is `domain`'s business.

pub mod account;
mod accounts;
mod backoff;
mod block;
pub mod blocks;
pub mod codec;
pub mod concordium;
mod error;
mod facts;
mod fee;
mod ledger;
mod node;
pub mod nodes;
mod numbered;
mod parameters;
pub mod payer;
mod presentation;
pub mod processors;
mod provable;
mod signature;
pub mod sponsored;
mod status;
pub mod submit;
mod token;
mod transfer;
pub mod wallet;

pub use backoff::Backoff;
pub use error::Error;
