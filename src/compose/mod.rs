//! Puts the parts together: ports to adapters, use cases to servers, workers to a process.

pub mod access;
mod audit;
mod dashboard;
pub mod facilitator;
pub mod health;
pub mod jobs;
pub(crate) mod log;
mod ops;
mod ready;
pub mod sponsors;
pub mod wallet;
pub mod webhooks;
