//! The workers over a scripted chain and the log in memory. Time is driven: no test waits for real.

#![expect(clippy::unwrap_used, reason = "a test may panic where it cannot go on")]

mod dispatcher;
mod follower;
mod lease;
mod projector;
mod queue;
#[path = "../../../tests/support/redis_server.rs"]
mod redis_server;
mod relay;
mod support;
