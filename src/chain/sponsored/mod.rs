//! Sponsored transactions: read from the wire, checked against the chain's keys, signed as the
//! sponsor, and finished to the bytes that a node takes.
//!
//! Whether one pays anything, and whether it may be sponsored, is decided in the domain.

mod complete;
mod operations;
pub(crate) mod order;
mod port;
mod signable;
mod sponsor;

pub use complete::is_signed_by_both;
pub use order::Order;
pub use port::Sponsors;
pub use signable::Signable;
pub use sponsor::{Error, Sponsor};

#[cfg(test)]
mod tests;
