//! The routes, one a file.

pub(crate) mod asset;
pub(crate) mod batch;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod discovery;
pub(crate) mod docs;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod probes;
pub(crate) mod rebuild;
pub(crate) mod release;
pub(crate) mod settle;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod stream;
pub(crate) mod submit;
pub(crate) mod supported;
pub(crate) mod unknown;
pub(crate) mod verify;
pub(crate) mod webhooks;
