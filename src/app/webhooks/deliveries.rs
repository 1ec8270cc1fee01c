//! What was delivered to a webhook, in pages.

use ccd402_domain::ids::{VerificationId, WebhookId};
use ccd402_domain::webhook::event::{DeliveryOutcome, WebhookDelivered};

use crate::error::Error;
use crate::ports::log::StreamId;
use crate::webhooks::Webhooks;
use crate::webhooks::case::tried;

/// Most verifications of one page.
pub const VERIFICATIONS_MAX: usize = 100;
/// A page that has as many tries as this takes no more verifications.
const TRIES_MAX: usize = 1_000;

/// Which tries somebody wants to see; everything that is said must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Of this verification.
    pub verification: Option<VerificationId>,
    /// That came to this.
    pub outcome: Option<DeliveryOutcome>,
    /// Of verifications after this one.
    pub after: Option<VerificationId>,
    /// Of so many verifications, at most [`VERIFICATIONS_MAX`].
    pub max: usize,
}

/// Some of the tries of a webhook, in the order of verifications, and within one as they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The tries of the verifications of this page that were asked for: perhaps none.
    pub deliveries: Vec<WebhookDelivered>,
    /// Where the next page begins, if there may be one.
    pub next: Option<VerificationId>,
}

impl Webhooks {
    /// Tries for a webhook.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn deliveries(&self, webhook: WebhookId, asked: Asked) -> Result<Page, Error> {
        let log = &self.ports.log;
        let max = asked.max.clamp(1, VERIFICATIONS_MAX);
        let streams = match asked.verification {
            Some(one) if asked.after.is_some_and(|after| one <= after) => Vec::new(),
            Some(one) => vec![StreamId::delivery(webhook, one)],
            None => {
                let after = asked.after.map(|after| StreamId::delivery(webhook, after));
                log.streams(&StreamId::deliveries(webhook), after.as_ref(), max).await?
            }
        };
        let mut page = Page { deliveries: Vec::new(), next: None };
        let mut tries = 0;
        for (index, stream) in streams.iter().enumerate() {
            // One read of a stream: a schedule's tries, and hundreds made by hand.
            let recorded = log.read_stream(stream, 0).await?;
            let found = recorded.iter().filter_map(tried);
            let of = found.clone().next().map(|tried| tried.verification);
            let is_asked = |tried: &&WebhookDelivered| {
                asked.outcome.is_none_or(|outcome| outcome == tried.outcome)
            };
            page.deliveries.extend(found.filter(is_asked).cloned());
            tries += recorded.len();
            let is_full = index + 1 == max || (tries >= TRIES_MAX && index + 1 < streams.len());
            if is_full && asked.verification.is_none() {
                page.next = of;
                break;
            }
        }
        Ok(page)
    }
}
