//! Who may send: one at a time for a webhook and a verification, so that order holds, and a bounded
//! number for a webhook, so that a slow receiver leaves room for the others.
//!
//! In one process only. Where several deliver, the log still has each try, and a repeat has its id.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ccd402_domain::ids::{VerificationId, WebhookId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Messages under way to one webhook.
const AT_ONCE_MAX: usize = 16;
/// How long somebody waits for a turn before the work is put back.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Entries after which forgotten ones are swept out.
const SWEEP_EVERY: usize = 1_024;

/// Turns of all webhooks.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    webhooks: Gates<WebhookId>,
    verifications: Gates<(WebhookId, VerificationId)>,
}

/// A turn; it ends when it is dropped.
pub(crate) struct Turn {
    _verification: OwnedSemaphorePermit,
    _webhook: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Gates<K>(Mutex<HashMap<K, Weak<Semaphore>>>);

impl<K> Default for Gates<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Gates<K> {
    async fn enter(&self, key: K, at_once_max: usize) -> OwnedSemaphorePermit {
        let gate = self.gate(key, at_once_max);
        gate.acquire_owned().await.expect("nobody closes the semaphore")
    }

    fn gate(&self, key: K, at_once_max: usize) -> Arc<Semaphore> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&key).and_then(Weak::upgrade) {
            return gate;
        }
        if gates.len() >= SWEEP_EVERY && gates.len().is_power_of_two() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Semaphore::new(at_once_max));
        gates.insert(key, Arc::downgrade(&gate));
        gate
    }
}

impl Turns {
    /// A turn to send; `None` where it does not come soon.
    pub(crate) async fn take(
        &self,
        webhook: WebhookId,
        verification: VerificationId,
    ) -> Option<Turn> {
        let entering = async {
            // The verification's first: who waits for it must not hold a place at the webhook.
            let one = self.verifications.enter((webhook, verification), 1).await;
            Turn { _verification: one, _webhook: self.webhooks.enter(webhook, AT_ONCE_MAX).await }
        };
        tokio::time::timeout(WAIT_MAX, entering).await.ok()
    }

    /// A place at a webhook, for what tells of no verification; `None` where none is free soon.
    pub(crate) async fn place(&self, webhook: WebhookId) -> Option<OwnedSemaphorePermit> {
        let entering = self.webhooks.enter(webhook, AT_ONCE_MAX);
        tokio::time::timeout(WAIT_MAX, entering).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_verification_is_told_of_at_a_time_and_a_webhook_has_bounded_places() {
        let turns = Turns::default();
        let webhook = WebhookId(Uuid::from_u128(1));
        let verification = |number| VerificationId(Uuid::from_u128(number));
        let first = turns.take(webhook, verification(0)).await.unwrap();
        assert!(turns.take(webhook, verification(0)).await.is_none());
        assert!(turns.take(WebhookId(Uuid::from_u128(2)), verification(0)).await.is_some());
        let mut held = Vec::new();
        for number in 1..AT_ONCE_MAX as u128 {
            held.push(turns.take(webhook, verification(number)).await.unwrap());
        }
        assert!(turns.take(webhook, verification(99)).await.is_none());
        assert!(turns.place(webhook).await.is_none());
        drop(first);
        assert!(turns.take(webhook, verification(0)).await.is_some());
        assert!(turns.place(webhook).await.is_some());
    }
}
