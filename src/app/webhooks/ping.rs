//! Trying the way to a receiver with a signed message that tells of nothing.

use std::time::Duration;

use ccd402_domain::webhook::event::Answer;
use ccd402_domain::webhook::state::Webhook;
use uuid::Uuid;

use crate::error::Error;
use crate::webhooks::Webhooks;

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// The answer, or why there is none.
    pub answer: Answer,
    /// How long it took.
    pub duration: Duration,
}

impl Webhooks {
    /// Sends a ping, also to a webhook that is disabled. Nothing of it is recorded.
    ///
    /// # Errors
    /// Where too much is under way to the webhook.
    pub async fn ping(&self, webhook: &Webhook) -> Result<Came, Error> {
        let _place = self.turns.place(webhook.id).await.ok_or(Error::Overloaded)?;
        let body = self.ports.writer.ping(self.ports.clock.now());
        let sent = self.ports.sender.send(self.message(webhook, Uuid::now_v7(), body)).await;
        Ok(Came { answer: sent.answer, duration: sent.duration })
    }
}
