//! Integration tests: through HTTP, on port 0, against the simulated chain.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod workspace;

mod batch;
mod caller;
mod cli;
mod cluster;
mod collector;
mod crash;
mod database;
mod database_reads;
mod discovery;
mod doctor;
mod events;
mod expired;
mod frugal;
mod history;
mod jobs;
mod keys;
mod once;
mod ops;
mod payments;
#[path = "../support/postgres_server.rs"]
mod postgres_server;
mod process;
mod read_model;
mod receiver;
#[path = "../support/redis_server.rs"]
mod redis_server;
mod refusals;
mod replay;
mod sponsored;
mod stream;
mod streams;
mod support;
mod terminal;
mod top;
mod traces;
mod volume;
mod webhook_answers;
mod webhook_kit;
mod webhooks;
mod wrong;
