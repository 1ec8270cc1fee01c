//! Projections: pure folds of the log. Deleting one and replaying is always safe.

pub mod summary;
