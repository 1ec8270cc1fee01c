//! The simulated chain over a real socket, seen by the unmodified Rust SDK.

mod support;

mod blocks;
mod transfers;
