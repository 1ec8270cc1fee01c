//! What the use cases need of the world. Each port has a real adapter and one for tests.

pub mod archive;
pub mod chain;
pub mod clock;
pub mod lease;
pub mod log;
pub mod overview;
pub mod queue;
pub mod read_model;
pub mod sponsoring;
pub mod webhooks;
