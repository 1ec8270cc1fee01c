//! The pure heart: values, the binding digest, the rules of payment, and the Verification.
//!
//! No clock, no environment, no randomness, no IO: time is an argument. That is what makes a log
//! of its events replayable.

pub mod account;
pub mod amount;
pub mod asset;
pub mod binding;
pub mod challenge;
pub mod event;
mod exact;
pub mod follower;
pub mod ids;
pub mod key;
pub mod listing;
pub mod memo;
pub mod money;
mod offer;
pub mod operator;
pub mod payment;
pub mod preset;
pub mod rejection;
pub mod rules;
#[cfg(test)]
mod sample;
#[cfg(feature = "schema")]
mod schema;
pub mod sponsored;
pub mod tenant;
mod text;
pub mod transaction;
pub mod verification;
pub mod webhook;
