//! The API over real HTTP, on a log in memory and a chain that each test scripts.
//!
//! Real nodes, workers and durable logs come together elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod batch;
mod concurrency;
mod health;
mod jobs;
mod keys;
mod limits;
mod messages;
mod problems;
mod readers;
mod release;
mod server;
mod settle;
mod stream;
mod support;
mod verifications;
mod verify;
mod webhooks;
