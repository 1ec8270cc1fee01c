//! What of a verification a webhook may hear of, and by which name.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// A kind of transition, by the name that goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Transition {
    /// It was handed in, and is pending.
    #[serde(rename = "verification.requested")]
    Requested,
    /// It is good and final.
    #[serde(rename = "verification.confirmed")]
    Confirmed,
    /// It is refused for good.
    #[serde(rename = "verification.failed")]
    Failed,
    /// A resource server holds the payment.
    #[serde(rename = "verification.reserved")]
    Reserved,
    /// It gave the payment back.
    #[serde(rename = "verification.released")]
    Released,
    /// The payment is used up.
    #[serde(rename = "verification.consumed")]
    Consumed,
}

/// A text that names no transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a type of event: use verification.confirmed, .failed, .reserved, and so on")]
pub struct NotATransition;

impl Transition {
    /// All of them, in the order in which they may happen.
    pub const ALL: [Self; 6] = [
        Self::Requested,
        Self::Confirmed,
        Self::Failed,
        Self::Reserved,
        Self::Released,
        Self::Consumed,
    ];

    /// Which transition an event is, if it is one.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::VerificationRequested(_) => Some(Self::Requested),
            Event::VerificationConfirmed(_) => Some(Self::Confirmed),
            Event::VerificationFailed(_) => Some(Self::Failed),
            Event::PaymentReserved(_) => Some(Self::Reserved),
            Event::PaymentReleased(_) => Some(Self::Released),
            Event::PaymentConsumed(_) => Some(Self::Consumed),
            _ => None,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "verification.requested",
            Self::Confirmed => "verification.confirmed",
            Self::Failed => "verification.failed",
            Self::Reserved => "verification.reserved",
            Self::Released => "verification.released",
            Self::Consumed => "verification.consumed",
        }
    }

    /// What a webhook hears of that does not choose: all that happens to what was handed in.
    #[must_use]
    pub fn by_default() -> BTreeSet<Self> {
        Self::ALL.into_iter().filter(|transition| *transition != Self::Requested).collect()
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Transition {
    type Err = NotATransition;

    fn from_str(text: &str) -> Result<Self, NotATransition> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(NotATransition)
    }
}
