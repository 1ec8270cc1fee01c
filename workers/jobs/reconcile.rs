//! Compares the log with the chain, again and again, and raises an alarm where they differ.
//!
//! How far it has come stands in the queue beside the jobs: a queue that is lost costs comparing again,
//! no more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::queue::{Job, JobQueue, QueueError};
use ccd402_app::reconcile::{Compared, Reconciled};
use chrono::Utc;
use metrics::{counter, gauge};

use crate::error::is_log_broken;
use crate::jobs::{Handler, Ran};

/// Where it is noted how far events and blocks were compared.
const POSITION: &str = "reconciled position";
const HEIGHT: &str = "reconciled height";
/// When it is tried again where no node or no queue answers.
const RETRY: Duration = Duration::from_secs(60);

/// Runs [`Job::Reconcile`].
pub struct Reconcile {
    /// The use cases.
    pub facilitator: Arc<Facilitator>,
    /// Where it is noted how far it has come.
    pub queue: Arc<dyn JobQueue>,
    /// Between two rounds, each over all that is new.
    pub every: Duration,
}

#[async_trait]
impl Handler for Reconcile {
    async fn run(&self, job: Job, _attempt: u32) -> Ran {
        if job != Job::Reconcile {
            return Ran::Dead { why: format!("{job} is no job of this kind") };
        }
        let compared = match self.compared().await {
            Ok(compared) => compared,
            Err(error) => return again(&error),
        };
        match self.facilitator.reconcile(compared).await {
            Ok(reconciled) => self.reconciled(&reconciled).await,
            Err(error) if is_log_broken(&error) => Ran::Retry { why: error.to_string() },
            Err(error) => again(&error),
        }
    }
}

/// A node or a queue that is away is no reason ever to give up comparing.
fn again(error: &dyn std::error::Error) -> Ran {
    Ran::RetryAt { at: Utc::now() + RETRY, why: error.to_string() }
}

impl Reconcile {
    async fn reconciled(&self, reconciled: &Reconciled) -> Ran {
        for difference in &reconciled.differences {
            let kind = difference.kind();
            counter!("ccd402_reconcile_differences_total", "kind" => kind).increment(1);
            tracing::error!(
                verification.id = %difference.verification(), kind,
                "the log and the chain do not agree; see the runbook"
            );
        }
        let Compared { position, height } = reconciled.compared;
        gauge!("ccd402_reconciled_position").set(position as f64);
        gauge!("ccd402_reconciled_height").set(height as f64);
        if let Err(error) = self.note(reconciled.compared).await {
            return again(&error);
        }
        let wait = if reconciled.is_more { Duration::ZERO } else { self.every };
        Ran::Next { at: Utc::now() + wait }
    }

    async fn compared(&self) -> Result<Compared, QueueError> {
        let position = self.queue.checkpoint(POSITION).await?.unwrap_or_default();
        let height = self.queue.checkpoint(HEIGHT).await?.unwrap_or_default();
        Ok(Compared { position, height })
    }

    async fn note(&self, compared: Compared) -> Result<(), QueueError> {
        self.queue.set_checkpoint(POSITION, compared.position).await?;
        self.queue.set_checkpoint(HEIGHT, compared.height).await
    }
}
