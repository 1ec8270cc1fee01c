//! Tells a webhook of one event.
//!
//! What is sent, and when it is tried again, is decided in `app` from the log; a second run finds the
//! first one's tries there. A receiver that takes nothing is no failure of the job.

use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::queue::Job;
use ccd402_app::webhooks::{Delivered, Webhooks};
use ccd402_domain::ids::WebhookId;

use crate::jobs::{Handler, Ran};

/// Runs [`Job::DeliverWebhook`].
pub struct DeliverWebhook(pub Arc<Webhooks>);

#[async_trait]
impl Handler for DeliverWebhook {
    async fn run(&self, job: Job, _attempt: u32) -> Ran {
        let Job::DeliverWebhook { webhook, position } = job else {
            return Ran::Dead { why: format!("{job} is no job of this kind") };
        };
        match self.0.deliver(WebhookId(webhook), position).await {
            // What is due later is queued again when its time comes.
            Ok(Delivered::Ended | Delivered::Due(_) | Delivered::NotTold) => Ran::Done,
            Err(error) => Ran::Retry { why: error.to_string() },
        }
    }
}
