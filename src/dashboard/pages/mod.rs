//! The pages, one a file.

pub(crate) mod deliveries;
pub(crate) mod download;
pub(crate) mod overview;
pub(crate) mod sign_in;
pub(crate) mod verification;
pub(crate) mod verifications;
