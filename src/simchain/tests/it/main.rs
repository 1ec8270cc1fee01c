//! The simulated chain over a real socket, seen by the unmodified Rust SDK.

#![expect(clippy::unwrap_used, reason = "a test that finds an error there fails, as it should")]

mod support;

mod accounts;
mod blocks;
mod conservation;
mod control;
mod faults;
mod identity;
mod restart;
mod sponsored;
mod throughput;
mod tokens;
mod transfers;
