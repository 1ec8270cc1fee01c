//! Contract suites of the ports: every adapter runs them.

pub mod log;
pub mod sample;
