//! A refused payment as a value. Faults of our own are errors, and errors live where they happen.

use std::fmt;

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::Refused;
use serde::{Deserialize, Serialize};

/// Why a payment is refused: a stable code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejection {
    /// Stable code.
    pub code: ReasonCode,
    /// What was found and what was wanted; never a proof or a payload.
    pub detail: String,
}

impl Rejection {
    /// A rejection with its explanation.
    #[must_use]
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        let Refused { code, detail } = Refused::new(code, detail);
        Self { code, detail }
    }

    /// A rejection that the code's title explains well enough.
    #[must_use]
    pub fn of(code: ReasonCode) -> Self {
        Self { code, detail: code.title().to_owned() }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self { code: refused.code, detail: refused.detail }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}
