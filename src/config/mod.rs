//! Configuration: one struct a concern.
//!
//! Each setting comes from its flag, then its `CCD402_*` variable, then the TOML file, then the
//! default. What makes no sense stops the start and says what to change.

pub mod check;
pub mod file;
pub mod gate;
pub mod serve;
pub mod span;
