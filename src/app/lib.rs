//! Ports and use cases: the only crate that knows the order of steps.
//!
//! A use case is one file whose body is the story. What a payment must be is `domain`'s business;
//! how a log, a node or a clock works is their adapters'.

#[cfg(feature = "contract")]
pub mod contract;
pub mod ports;
