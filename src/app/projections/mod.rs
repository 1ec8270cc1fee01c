//! Projections: pure folds of the log. Deleting what was made of one and replaying is always safe.

pub mod resources;
pub mod tallies;
pub mod verifications;

/// The version of what is said here. A change of rows, or of what events do to them, raises it, and
/// every read model is built anew.
///
/// 2: what was paid for is listed. 3: verifications are counted as they come. 4: in databases, too.
pub const VERSION: u32 = 4;
