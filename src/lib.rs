//! The program `ccd402` put together: command line, configuration, composition.
//!
//! The only package that sees all the others. What a payment must be, how a log works or what goes
//! over the wire is said in the crates below `src/`.

#[cfg(feature = "jemalloc")]
mod allocator;
pub mod cli;
pub mod compose;
pub mod config;
pub mod devnet;
pub mod output;
pub mod shutdown;
pub mod telemetry;
