//! What was delivered to a webhook, in pages.

use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::webhook::event::WebhookDelivered;

use crate::error::Error;
use crate::ports::log::StreamId;
use crate::webhooks::Webhooks;
use crate::webhooks::case::tried;

/// Some of the tries of a webhook, in the order of verifications, and within one as they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Every try of the verifications of this page.
    pub deliveries: Vec<WebhookDelivered>,
    /// Where the next page begins, if there may be one.
    pub next: Option<VerificationId>,
}

impl Webhooks {
    /// The tries for a webhook, of verifications after one, at most `max` verifications.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        after: Option<VerificationId>,
        max: usize,
    ) -> Result<Page, Error> {
        let log = &self.ports.log;
        let after = after.map(|after| StreamId::delivery(webhook, after));
        let streams =
            log.streams(&StreamId::deliveries(webhook), after.as_ref(), max.max(1)).await?;
        let mut deliveries = Vec::new();
        for stream in &streams {
            // One page of a stream: a schedule's tries, and hundreds made by hand.
            let recorded = log.read_stream(stream, 0).await?;
            deliveries.extend(recorded.iter().filter_map(tried).cloned());
        }
        let is_full = streams.len() >= max.max(1);
        let last = deliveries.last().map(|tried| tried.verification);
        Ok(Page { deliveries, next: last.filter(|_| is_full) })
    }
}
