//! Looks after a transaction that is signed until the chain has decided it: sends it where no node
//! has it, these very bytes, and asks for it where the follower has not seen it.
//!
//! Who settles sends at once; this finds what a crash, a node or a gap in the payer's numbers left.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::Job;
use ccd402_app::sponsored::Sending;
use chrono::Utc;

use crate::backoff::wait_after;
use crate::error::is_log_broken;
use crate::jobs::{Handler, Ran};

/// First and longest wait while log or nodes do not answer.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Runs [`Job::SendTransaction`].
pub struct SendTransaction(pub Arc<Facilitator>);

#[async_trait]
impl Handler for SendTransaction {
    async fn run(&self, job: Job, attempt: u32) -> Ran {
        let Job::SendTransaction { verification } = job else {
            return Ran::Dead { why: format!("{job} is no job of this kind") };
        };
        match self.0.look_after(verification).await {
            Ok(Sending::Done) => Ran::Done,
            Ok(Sending::Again(wait)) => {
                Ran::RetryAt { at: Utc::now() + wait, why: "it is not final yet".to_owned() }
            }
            Err(error) if is_log_broken(&error) => Ran::Retry { why: error.to_string() },
            // Never given up: it ends when the chain has decided it, or it has expired.
            Err(error) => {
                let wait = wait_after(attempt, RETRY.0, RETRY.1);
                Ran::RetryAt { at: Utc::now() + wait, why: error.to_string() }
            }
        }
    }
}
