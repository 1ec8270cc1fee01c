//! Puts the parts together: ports to adapters, use cases to servers, workers to a process.

pub mod access;
mod audit;
mod dashboard;
pub mod facilitator;
pub mod health;
pub mod jobs;
pub(crate) mod log;
mod ops;
mod options;
mod process;
pub(crate) mod read_model;
mod ready;
mod relay;
pub mod sponsors;
mod tasks;
pub mod wallet;
pub mod webhooks;
mod work;
