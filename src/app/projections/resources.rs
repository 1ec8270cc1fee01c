//! What is listed for strangers to find: every resource that was paid for, in a payment that was
//! confirmed, and whose seller asked for it to be listed.
//!
//! A resource is one method on one URL of one tenant's. Sightings are applied one by one, in the
//! order of the log, so that the same events always leave the same list, also where it is full.

use std::collections::HashMap;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::listing::Listing;
use ccd402_domain::payment::Payment;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::VerificationRequested;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ports::log::{Position, Recorded};

/// Most resources of one tenant; the one that was not paid for the longest goes.
pub const LISTED_MAX: usize = 1_000;
/// Most terms of one resource; the oldest go.
pub const TERMS_MAX: usize = 8;

/// A resource that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Whose it is. Not told to strangers.
    pub tenant: TenantId,
    /// What was noted last.
    pub listing: Listing,
    /// On what terms it was paid for lately, newest first.
    pub terms: Vec<Terms>,
    /// Position of the newest confirmation.
    pub updated: Position,
    /// When that was.
    pub updated_at: DateTime<Utc>,
}

/// How something was paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Where.
    pub network: NetworkId,
    /// In what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// To whom.
    pub pay_to: AccountAddress,
    /// Who paid the fee, where the facilitator sent it; else the payer did both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_payer: Option<AccountAddress>,
}

/// What a payment would have listed, once it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Whose.
    pub tenant: TenantId,
    /// Of what.
    pub listing: Listing,
    /// How it is paid for.
    pub terms: Terms,
}

/// A payment that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its verification.
    pub verification: VerificationId,
    /// What it has listed, where that was said among the same events.
    pub candidate: Option<Candidate>,
    /// When and where it was confirmed; `None` where it failed.
    pub confirmed: Option<(Position, DateTime<Utc>)>,
}

/// What some events that follow each other do to the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Payments that were decided, in order.
    pub decided: Vec<Decided>,
    /// Payments that are not, and would list something.
    pub waiting: HashMap<VerificationId, Candidate>,
}

impl Changes {
    /// What these events do.
    #[must_use]
    pub fn of(events: &[Recorded]) -> Self {
        let mut changes = Self::default();
        for recorded in events {
            match &recorded.event {
                Event::VerificationRequested(requested) => {
                    let candidate = Candidate::of(requested).map(|c| (requested.verification, c));
                    changes.waiting.extend(candidate);
                }
                Event::VerificationConfirmed(confirmed) => {
                    let at = (recorded.position, recorded.time);
                    changes.decide(confirmed.verification, Some(at));
                }
                Event::VerificationFailed(failed) => changes.decide(failed.verification, None),
                _ => {}
            }
        }
        changes
    }

    fn decide(
        &mut self,
        verification: VerificationId,
        confirmed: Option<(Position, DateTime<Utc>)>,
    ) {
        let candidate = self.waiting.remove(&verification);
        self.decided.push(Decided { verification, candidate, confirmed });
    }
}

impl Candidate {
    fn of(requested: &VerificationRequested) -> Option<Self> {
        let listing = requested.listing.as_deref()?.clone();
        let terms = Terms::of(&requested.payment);
        Some(Self { tenant: requested.tenant.clone(), listing, terms })
    }

    /// The resource as it is listed once this is confirmed, then and there; `older` terms are those
    /// on which it was listed before.
    #[must_use]
    pub fn list(
        self,
        older: Vec<Terms>,
        (updated, updated_at): (Position, DateTime<Utc>),
    ) -> Resource {
        let Self { tenant, listing, terms: newest } = self;
        let older = older.into_iter().filter(|terms| !terms.are_like(&newest));
        let terms = std::iter::once(newest.clone()).chain(older).take(TERMS_MAX).collect();
        Resource { tenant, listing, terms, updated, updated_at }
    }
}

impl Terms {
    fn of(payment: &Payment) -> Self {
        Self {
            network: payment.network.clone(),
            asset: payment.asset.clone(),
            amount: payment.amount,
            pay_to: payment.pay_to,
            fee_payer: payment.sponsored.as_ref().map(|sponsored| sponsored.sponsor),
        }
    }

    /// Whether they are the same to a payer, whichever of our accounts pays the fee.
    fn are_like(&self, other: &Self) -> bool {
        self.fee_payer.is_some() == other.fee_payer.is_some()
            && Self { fee_payer: None, ..self.clone() } == Self { fee_payer: None, ..other.clone() }
    }
}

#[cfg(test)]
#[path = "resources_tests.rs"]
mod tests;
