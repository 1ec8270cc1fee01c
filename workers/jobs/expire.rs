//! Fails what can never come any more, again and again: one job for all verifications.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::Job;
use chrono::Utc;

use crate::error::is_log_broken;
use crate::jobs::{Handler, Ran};

/// Runs [`Job::Expire`].
pub struct Expire {
    /// The use cases.
    pub facilitator: Arc<Facilitator>,
    /// Between two passes.
    pub every: Duration,
}

#[async_trait]
impl Handler for Expire {
    async fn run(&self, job: Job, _attempt: u32) -> Ran {
        if job != Job::Expire {
            return Ran::Dead { why: format!("{job} is no job of this kind") };
        }
        match self.facilitator.expire().await {
            Ok(expired) => {
                let (looked_at, left) = (expired.looked_at, expired.left);
                tracing::debug!(looked_at, left, "looked for what can never come");
            }
            Err(error) if is_log_broken(&error) => return Ran::Retry { why: error.to_string() },
            Err(error) => tracing::warn!(%error, "a pass was cut short; the next goes on"),
        }
        Ran::Next { at: Utc::now() + self.every }
    }
}
