//! Projections: pure folds of the log. Deleting what was made of one and replaying is always safe.

pub mod resources;
pub mod verifications;

/// The version of what is said here. A change of rows, or of what events do to them, raises it, and
/// every read model is built anew.
///
/// 2: what was paid for is listed.
pub const VERSION: u32 = 2;
