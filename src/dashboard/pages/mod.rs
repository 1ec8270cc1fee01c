//! The pages, one a file.

pub(crate) mod act;
pub(crate) mod deliveries;
pub(crate) mod download;
pub(crate) mod leaders;
pub(crate) mod operations;
pub(crate) mod overview;
pub(crate) mod past;
pub(crate) mod sign_in;
pub(crate) mod verification;
pub(crate) mod verifications;
