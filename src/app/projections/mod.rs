//! Projections: pure folds of the log. Deleting what was made of one and replaying is always safe.

pub mod verifications;
