//! One row a verification: what lists and statistics are made of, and what each event does to it.
//!
//! The only place that says what a row is. Where rows are kept is the adapter's business; nothing
//! here reads a clock, so the same events always make the same rows.

use std::collections::{BTreeMap, HashMap};

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::Resource;
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::event::VerificationRequested;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};

use crate::ports::log::{Position, Recorded};
use crate::ports::read_model::Status;

/// A verification in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Position of its first event: its own number.
    pub number: Position,
    /// Its id.
    pub id: VerificationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it was paid.
    pub network: NetworkId,
    /// The transfer.
    pub transaction: TransactionHash,
    /// Who paid.
    pub payer: AccountAddress,
    /// Who must have been paid.
    pub pay_to: AccountAddress,
    /// In what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// For what.
    pub resource: Resource,
    /// When it was handed in.
    pub requested_at: DateTime<Utc>,
    /// What has become of it.
    pub standing: Standing,
}

/// What has become of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Events so far.
    pub version: u64,
    /// Position of the newest of them.
    pub changed: Position,
    /// Where it stands.
    pub outcome: Outcome,
    /// Who uses it.
    pub usage: Usage,
}

/// Where a verification stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not decided yet.
    Pending {
        /// The block of the transfer, once that is final.
        transfer: Option<BlockRef>,
    },
    /// Good and final.
    Confirmed {
        /// The block of the transfer.
        block: BlockRef,
        /// When it was decided.
        at: DateTime<Utc>,
    },
    /// Refused for good.
    Failed {
        /// Why.
        rejection: Rejection,
        /// When it was decided.
        at: DateTime<Utc>,
    },
}

/// Who uses a payment, as the events say: whether a hold has lapsed is for whoever has a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Nobody.
    Free,
    /// A resource server holds it.
    Reserved {
        /// Until then, at most.
        until: DateTime<Utc>,
    },
    /// It is used up.
    Used,
}

/// What later events did to a verification, as one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The version that it changes.
    pub follows: u64,
    /// The version that it makes.
    pub version: u64,
    /// Position of the newest of the events.
    pub changed: Position,
    /// Present where it changed.
    pub outcome: Option<Outcome>,
    /// Present where it changed.
    pub usage: Option<Usage>,
}

/// What some events that follow each other do to the rows, in as few changes as can be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New rows, in the order of their numbers.
    pub rows: Vec<Row>,
    /// What becomes of rows that were there before.
    pub patches: BTreeMap<VerificationId, Patch>,
}

/// An event that does not follow the ones before it: these are no events of one log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event at position {0} does not follow the ones before it")]
pub struct OutOfOrder(pub Position);

impl Changes {
    /// What these events do.
    ///
    /// # Errors
    /// Where they are out of order.
    pub fn of(events: &[Recorded]) -> Result<Self, OutOfOrder> {
        let mut changes = Self::default();
        let mut begun: HashMap<VerificationId, usize> = HashMap::new();
        for recorded in events {
            let Some(id) = recorded.stream.as_verification() else { continue };
            let is_in_order = match &recorded.event {
                Event::VerificationRequested(requested) => {
                    begun.insert(id, changes.rows.len());
                    changes.rows.push(Row::begin(recorded, requested));
                    recorded.version == 1
                }
                _ => match begun.get(&id) {
                    Some(at) => changes.rows[*at].standing.apply(Patch::of(recorded)),
                    None => changes.patch(id, Patch::of(recorded)),
                },
            };
            if !is_in_order {
                return Err(OutOfOrder(recorded.position));
            }
        }
        Ok(changes)
    }

    fn patch(&mut self, id: VerificationId, patch: Patch) -> bool {
        match self.patches.get_mut(&id) {
            Some(before) => before.then(patch),
            None => {
                self.patches.insert(id, patch);
                true
            }
        }
    }
}

impl Row {
    fn begin(recorded: &Recorded, requested: &VerificationRequested) -> Self {
        let payment = &requested.payment;
        Self {
            number: recorded.position,
            id: requested.verification,
            tenant: requested.tenant.clone(),
            network: payment.network.clone(),
            transaction: payment.transaction,
            payer: payment.payer,
            pay_to: payment.pay_to,
            asset: payment.asset.clone(),
            amount: payment.amount,
            resource: payment.resource.clone(),
            requested_at: requested.requested_at,
            standing: Standing {
                version: recorded.version,
                changed: recorded.position,
                outcome: Outcome::Pending { transfer: None },
                usage: Usage::Free,
            },
        }
    }
}

impl Standing {
    /// Where it stands, in a word.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.outcome {
            Outcome::Pending { .. } => Status::Pending,
            Outcome::Confirmed { .. } => Status::Confirmed,
            Outcome::Failed { .. } => Status::Failed,
        }
    }

    /// Applies a change; false where it is not a change of this version.
    #[must_use]
    pub fn apply(&mut self, patch: Patch) -> bool {
        let fits = patch.follows == self.version;
        if fits {
            self.version = patch.version;
            self.changed = patch.changed;
            self.outcome = patch.outcome.unwrap_or_else(|| self.outcome.clone());
            self.usage = patch.usage.unwrap_or(self.usage);
        }
        fits
    }
}

impl Patch {
    /// What an event does to a row that is there.
    fn of(recorded: &Recorded) -> Self {
        let at = recorded.time;
        let (outcome, usage) = match &recorded.event {
            Event::TransferFinalized(seen) => {
                (Some(Outcome::Pending { transfer: Some(seen.block) }), None)
            }
            Event::VerificationConfirmed(confirmed) => {
                (Some(Outcome::Confirmed { block: confirmed.block, at }), None)
            }
            Event::VerificationFailed(failed) => {
                (Some(Outcome::Failed { rejection: failed.rejection.clone(), at }), None)
            }
            Event::PaymentReserved(reserved) => {
                (None, Some(Usage::Reserved { until: reserved.until }))
            }
            Event::PaymentReleased(_) => (None, Some(Usage::Free)),
            Event::PaymentConsumed(_) => (None, Some(Usage::Used)),
            _ => (None, None),
        };
        let version = recorded.version;
        let follows = version.saturating_sub(1);
        Self { follows, version, changed: recorded.position, outcome, usage }
    }

    /// Adds what happened next; false where it does not follow.
    fn then(&mut self, next: Self) -> bool {
        let fits = next.follows == self.version;
        if fits {
            self.version = next.version;
            self.changed = next.changed;
            self.outcome = next.outcome.or_else(|| self.outcome.take());
            self.usage = next.usage.or(self.usage);
        }
        fits
    }
}

#[cfg(test)]
#[path = "verifications_tests.rs"]
mod tests;
