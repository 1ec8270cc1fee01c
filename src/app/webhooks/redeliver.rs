//! Sending a message again because somebody asks for it, and saying what came back.

use ccd402_domain::rejection::Rejection;
use ccd402_domain::webhook::delivery::Next;
use ccd402_domain::webhook::event::WebhookDelivered;
use ccd402_domain::webhook::state::Webhook;
use ccd402_protocol::code::ReasonCode;

use crate::error::Error;
use crate::ports::log::Position;
use crate::webhooks::Webhooks;

impl Webhooks {
    /// Sends the transition at a position again, now, also to a webhook that is disabled.
    ///
    /// # Errors
    /// Where the log fails, or too much is under way to the webhook.
    pub async fn redeliver(
        &self,
        webhook: Webhook,
        position: Position,
    ) -> Result<Result<WebhookDelivered, Rejection>, Error> {
        let not_found = || Ok(Err(Rejection::of(ReasonCode::DeliveryNotFound)));
        let Some(verification) = self.verification_at(position).await? else { return not_found() };
        let turn = self.turns.take(webhook.id, verification).await;
        let _turn = turn.ok_or(Error::Overloaded)?;
        let Some(case) = self.case(webhook, verification).await? else { return not_found() };
        if !case.heard().any(|heard| heard == position) {
            return not_found();
        }
        // What waits behind another is not sent before it, not even by hand.
        if let Next::Send { position: first, .. } = case.deliveries.next(case.heard(), position)
            && first != position
        {
            return Ok(Err(Rejection::of(ReasonCode::DeliveryOutOfOrder)));
        }
        let attempts = case.deliveries.of(position).map_or(0, |tries| tries.attempts);
        match self.send(&case, position, attempts.saturating_add(1)).await? {
            Some(tried) => Ok(Ok(tried)),
            None => not_found(),
        }
    }
}
