//! Background workers of the facilitator: they follow the chain, queue and run the jobs that the log
//! calls for, and project it.
//!
//! They order the work and bound it; what the work is stands in `app`. Each can be stopped at any
//! moment and started again: the log says where it was.

pub mod backoff;
pub mod dispatcher;
pub mod error;
pub mod follower;
pub mod jobs;
pub mod lease;
pub mod listener;
pub mod projector;
pub mod queue;
pub mod relay;
mod resolve;
pub mod runner;
pub mod watcher;
pub mod webhooks;
pub mod worker;
