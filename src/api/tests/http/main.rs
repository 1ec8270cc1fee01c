//! The API over real HTTP, on a log in memory and a chain that each test scripts.
//!
//! Real nodes, workers and durable logs come together elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asset;
mod batch;
mod concurrency;
mod discovery;
mod health;
mod identifier;
mod jobs;
mod keys;
mod limits;
mod list;
mod messages;
mod problems;
mod projections;
mod readers;
mod release;
mod server;
mod settle;
mod stats;
mod stream;
mod support;
mod verifications;
mod verify;
mod webhooks;
