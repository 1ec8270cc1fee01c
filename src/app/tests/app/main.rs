//! The use cases over a scripted chain and the log in memory.

#![expect(clippy::unwrap_used, reason = "a test may panic where it cannot go on")]

mod batch;
mod claims;
mod expire;
mod feed;
mod follow;
mod identity;
mod keys;
mod node;
mod past;
mod reconcile;
mod settle;
mod sponsored;
mod submit;
mod support;
mod tenants;
mod verify;
mod webhooks;
