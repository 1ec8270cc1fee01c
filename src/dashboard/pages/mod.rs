//! The pages, one a file.

pub(crate) mod overview;
pub(crate) mod sign_in;
