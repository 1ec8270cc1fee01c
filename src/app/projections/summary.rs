//! How many verifications there are in each status, and why payments were refused.

use std::collections::BTreeMap;

use ccd402_domain::event::Event;
use ccd402_protocol::code::ReasonCode;
use serde::Serialize;

use crate::ports::log::{Position, Recorded};

/// The whole log in a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The newest event that is counted.
    pub as_of: Position,
    /// Not decided yet.
    pub pending: u64,
    /// Good and final.
    pub confirmed: u64,
    /// Refused for good, by reason.
    pub failed: BTreeMap<ReasonCode, u64>,
    /// Used up by `/verify` or `/settle`.
    pub consumed: u64,
}

impl Summary {
    /// Counts one more event; one that was counted already changes nothing.
    pub fn apply(&mut self, recorded: &Recorded) {
        if recorded.position <= self.as_of {
            return;
        }
        self.as_of = recorded.position;
        match &recorded.event {
            Event::VerificationRequested(_) => self.pending += 1,
            Event::VerificationConfirmed(_) => {
                self.pending = self.pending.saturating_sub(1);
                self.confirmed += 1;
            }
            Event::VerificationFailed(failed) => {
                self.pending = self.pending.saturating_sub(1);
                *self.failed.entry(failed.rejection.code).or_default() += 1;
            }
            Event::PaymentConsumed(_) => self.consumed += 1,
            _ => {}
        }
    }
}
