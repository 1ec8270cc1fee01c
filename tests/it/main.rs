//! Integration tests: through HTTP, on port 0, against the simulated chain.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod workspace;

mod batch;
mod cli;
mod crash;
mod doctor;
mod events;
mod expired;
mod frugal;
mod history;
mod keys;
mod once;
mod ops;
mod payments;
mod process;
mod read_model;
mod refusals;
mod replay;
mod stream;
mod streams;
mod support;
mod wrong;
