//! What goes over the wire: the JSON of x402 v1 and v2, its headers, network ids and reason codes.
//!
//! Serde only. This crate decides nothing: whether a payment is good is `domain`'s business, and
//! nothing here reads a clock, a file or a socket. Domain types never leak in; wire names never
//! leak out.

pub mod bazaar;
pub mod code;
pub mod facilitator;
pub mod header;
pub mod identifier;
pub mod identity;
pub mod network;
pub mod payload;
pub mod presented;
pub mod required;
pub mod requirements;
#[cfg(feature = "schema")]
mod schema;
pub mod sponsored;
pub mod version;
