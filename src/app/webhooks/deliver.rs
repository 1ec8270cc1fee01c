//! Telling a webhook of a transition, and of those before it in the same verification first.
//!
//! Safe to run twice and to be cut off anywhere: what was tried and when the next try is due stands
//! in the log, and a message that is sent again has the same id.

use ccd402_domain::ids::WebhookId;
use ccd402_domain::webhook::delivery::Next;
use ccd402_domain::webhook::event::{Answer, DeliveryOutcome, WhyDisabled};
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Error;
use crate::ports::log::Position;
use crate::webhooks::Webhooks;
use crate::webhooks::manage::is_told;

/// When work is taken up again that found no room.
const ROOM_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// The status by which a receiver says that it wants nothing more, ever.
const GONE: u16 = 410;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// There is nothing more to do for it.
    Ended,
    /// There is, at this time; it is called for again then.
    Due(DateTime<Utc>),
    /// The webhook is not told; once it is enabled, what is left is called for again.
    NotTold,
}

impl Webhooks {
    /// Tells a webhook of the transition at a position, as far as that can be done now.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn deliver(&self, id: WebhookId, position: Position) -> Result<Delivered, Error> {
        let delivered = self.try_now(id, position).await?;
        match delivered {
            Delivered::Ended => self.note(id, position, None),
            Delivered::Due(at) => self.note(id, position, Some(at)),
            Delivered::NotTold => {}
        }
        Ok(delivered)
    }

    async fn try_now(&self, id: WebhookId, position: Position) -> Result<Delivered, Error> {
        let Some(verification) = self.verification_at(position).await? else {
            return Ok(Delivered::Ended);
        };
        let Some(_turn) = self.turns.take(id, verification).await else {
            return Ok(Delivered::Due(self.ports.clock.now() + ROOM_AGAIN));
        };
        loop {
            let webhook = self.load(id).await?;
            let Some(webhook) = webhook.filter(is_told) else { return Ok(Delivered::NotTold) };
            let case = self.case(webhook, verification).await?;
            let next =
                case.as_ref().map(|case| (case, case.deliveries.next(case.heard(), position)));
            let Some((case, Next::Send { position: next, attempt, due_at })) = next else {
                return Ok(Delivered::Ended);
            };
            if let Some(due_at) = due_at.filter(|due_at| self.ports.clock.now() < *due_at) {
                return Ok(Delivered::Due(due_at));
            }
            let Some(tried) = self.send(case, next, attempt).await? else {
                return Ok(Delivered::Ended);
            };
            if tried.answer == Answer::Status(GONE) {
                self.disable(id, WhyDisabled::Gone).await?;
            }
            if tried.outcome == DeliveryOutcome::Failed {
                let again = self.ports.clock.now() + ROOM_AGAIN;
                return Ok(Delivered::Due(tried.retry_at.unwrap_or(again)));
            }
        }
    }
}
