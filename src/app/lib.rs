//! Ports and use cases: the only crate that knows the order of steps.
//!
//! A use case is one file whose body is the story. What a payment must be is `domain`'s business;
//! how a log, a node or a clock works is their adapters'.

pub mod answer;
mod asset;
pub mod batch;
pub mod builds;
pub mod compare;
#[cfg(feature = "contract")]
pub mod contract;
mod cursor;
pub mod disclosed;
pub mod discover;
pub mod dispatch;
pub mod error;
pub mod expire;
pub mod facilitator;
mod facts;
pub mod feed;
mod follow;
pub mod glance;
mod heard;
pub mod idempotency;
pub mod kept;
pub mod keys;
mod latency;
pub mod list;
mod measure;
mod moment;
pub mod operate;
pub mod past;
pub mod ports;
pub mod projections;
pub mod query;
pub mod reads;
mod recent;
pub mod reconcile;
mod release;
mod remembered;
pub mod replay;
mod resolve;
mod settle;
pub mod sponsored;
pub mod stats;
pub mod submit;
mod take_in;
pub mod trace;
pub mod verify;
mod wakeups;
pub mod webhooks;
