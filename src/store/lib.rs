//! Adapters of the event log: sled for one process, PostgreSQL for many, memory for tests.
//!
//! They share the envelope, the keys, and the decision whether an append may happen; they differ
//! only in where bytes are kept and in what "durable" means. What events mean is `domain`'s
//! business.

mod alike;
mod check;
mod draft;
pub mod envelope;
mod error;
mod flat;
mod index;
mod keys;
mod measure;
mod memory;
pub mod postgres;
mod prepare;
mod queue;
mod read;
pub mod sled;
pub mod sqlite;
mod table;
mod tail;
mod tallied;
mod upcast;
mod waits;

pub use error::Error;
pub use memory::MemoryLog;
pub use upcast::newest as newest_version;
