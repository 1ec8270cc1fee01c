//! Background workers of the facilitator: they follow the chain, resolve what was submitted, sweep
//! out what can never come, and project the log.
//!
//! They order the work and bound it; what the work is stands in `app`. Each can be stopped at any
//! moment and started again: the log says where it was.

pub mod backoff;
pub mod error;
pub mod follower;
pub mod jobs;
pub mod projector;
pub mod queue;
mod resolve;
pub mod resolver;
pub mod runner;
pub mod sweeper;
pub mod webhooks;
pub mod worker;
