//! Checks the proofs of a verification: its presentation, its signatures.
//!
//! What follows from it is decided in `app`, under the verification's own lock; a second run finds
//! the first one's events and does nothing.

use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::Job;

use crate::jobs::{Handler, Ran};
use crate::resolve::resolve;

/// Runs [`Job::CheckIdentity`].
pub struct CheckIdentity(pub Arc<Facilitator>);

#[async_trait]
impl Handler for CheckIdentity {
    async fn run(&self, job: Job, attempt: u32) -> Ran {
        match job {
            Job::CheckIdentity { verification } => resolve(&self.0, verification, attempt).await,
            other => Ran::Dead { why: format!("{other} is no job of this kind") },
        }
    }
}
