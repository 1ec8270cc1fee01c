//! `GET /discovery/resources`: what is listed for strangers, those that were paid for last first.
//!
//! Whoever is listed asked for it, so it is told to everybody, of all tenants together.

use crate::error::Error;
use crate::ports::read_model::{RESOURCES_MAX, Shelf};
use crate::reads::Reads;

/// Most resources that a page may skip.
pub const SKIP_MAX: u64 = 1_000_000;

impl Reads {
    /// Lists resources.
    ///
    /// # Errors
    /// A limit or an offset out of bounds, or a fault of ours.
    pub async fn discover(&self, offset: u64, limit: usize) -> Result<Shelf, Error> {
        if !(1..=RESOURCES_MAX).contains(&limit) {
            return Err(Error::Malformed(format!("limit is 1 to {RESOURCES_MAX}")));
        }
        if offset > SKIP_MAX {
            return Err(Error::Malformed(format!("offset is at most {SKIP_MAX}")));
        }
        Ok(self.model.resources(offset, limit).await?)
    }
}
