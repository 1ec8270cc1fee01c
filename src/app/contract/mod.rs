//! Contract suites of the ports: every adapter runs them.

pub mod log;
pub mod payments;
pub mod queue;
pub mod read_model;
pub mod sample;
pub mod scripted;
pub mod sponsors;
