//! The crate against the simulated chain: real sockets, real signatures, real proofs.
//!
//! Every wait is for a condition, bounded by one long timeout; nothing sleeps for a fixed time.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod blocks;
mod identity;
mod nodes;
mod payer;
mod signature;
mod sponsored;
mod support;
