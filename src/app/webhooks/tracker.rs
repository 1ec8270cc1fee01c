//! How far the deliveries of one webhook have come. Derived from the log; the checkpoint only spares
//! reading it from the beginning.

use ccd402_domain::webhook::event::{DeliveryOutcome, WebhookCheckpointed, WebhookDelivered};
use chrono::{DateTime, Utc};

use crate::ports::log::Position;
use crate::webhooks::outstanding::Outstanding;

/// Transitions that wait to be delivered to one webhook; more wait in the log. A checkpoint names
/// each: it must fit into an event.
pub(crate) const OUTSTANDING_MAX: usize = 4_096;
/// Events that may go by without a checkpoint for a webhook that hears of none of them.
const IDLE_EVENTS_MAX: u64 = 100_000;

/// How far one webhook's deliveries have come.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// Every transition up to here is outstanding, delivered or given up. `None` while it goes along
    /// with what happens.
    pub(crate) scanned: Option<Position>,
    /// What is to be delivered.
    pub(crate) outstanding: Outstanding,
    /// Version of the stream of checkpoints.
    pub(crate) version: u64,
    delivered_at: Option<DateTime<Utc>>,
    /// What the last checkpoint said of `scanned`.
    checkpointed: Position,
    is_changed: bool,
}

impl Tracker {
    /// Of a webhook that hears of what comes after a position.
    pub(crate) fn since(since: Position) -> Self {
        Self {
            scanned: Some(since),
            outstanding: Outstanding::default(),
            version: 0,
            delivered_at: None,
            checkpointed: since,
            is_changed: false,
        }
    }

    /// From its last checkpoint, the event of this version.
    pub(crate) fn from_checkpoint(checkpoint: &WebhookCheckpointed, version: u64) -> Self {
        Self {
            scanned: Some(checkpoint.scanned),
            outstanding: Outstanding::of(&checkpoint.outstanding),
            version,
            delivered_at: checkpoint.delivered_at,
            checkpointed: checkpoint.scanned,
            is_changed: false,
        }
    }

    /// Whether one more may be outstanding.
    pub(crate) fn has_room(&self) -> bool {
        self.outstanding.len() < OUTSTANDING_MAX
    }

    /// One more is to be delivered.
    pub(crate) fn add(&mut self, position: Position) {
        self.is_changed |= self.outstanding.add(position);
    }

    /// There is nothing more to do for one.
    pub(crate) fn end(&mut self, position: Position) {
        self.is_changed |= self.outstanding.end(position);
    }

    /// A try was made. True where the receiver has taken nothing for a whole schedule of tries.
    pub(crate) fn tried(&mut self, tried: &WebhookDelivered) -> bool {
        match tried.outcome {
            DeliveryOutcome::Failed => {
                if let Some(at) = tried.retry_at {
                    self.outstanding.put_off(tried.position, at);
                }
                false
            }
            DeliveryOutcome::Delivered => {
                self.end(tried.position);
                self.delivered_at = self.delivered_at.max(Some(tried.at));
                false
            }
            DeliveryOutcome::GivenUp => {
                self.end(tried.position);
                self.delivered_at.is_none_or(|delivered_at| delivered_at < tried.first_at)
            }
        }
    }

    /// What to write down, if it is worth it, where everything up to `live` was read.
    pub(crate) fn checkpoint(&self, live: Position) -> Option<WebhookCheckpointed> {
        let scanned = self.scanned.unwrap_or(live);
        let is_far = scanned.saturating_sub(self.checkpointed) > IDLE_EVENTS_MAX;
        (self.is_changed || is_far).then(|| WebhookCheckpointed {
            scanned,
            outstanding: self.outstanding.positions(),
            delivered_at: self.delivered_at,
        })
    }

    /// The checkpoint is in the log, or somebody else's is.
    pub(crate) fn checkpointed(&mut self, scanned: Position, version: u64) {
        self.checkpointed = scanned;
        self.version = version;
        self.is_changed = false;
    }
}
