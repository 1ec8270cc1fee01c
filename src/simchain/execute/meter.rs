//! Counts the energy that a transaction uses, up to what it states.

use concordium_rust_sdk::v2::generated::{Empty, reject_reason::Reason};

/// Energy used so far, never more than the limit.
#[derive(Debug)]
pub(crate) struct Meter {
    used: u64,
    limit: u64,
}

impl Meter {
    /// Starts with what is charged whatever happens, which admission has found to be affordable.
    pub(crate) fn new(base: u64, limit: u64) -> Self {
        Self { used: base.min(limit), limit }
    }

    /// Uses energy; running out uses up all that was stated.
    pub(crate) fn charge(&mut self, energy: u64) -> Result<(), Reason> {
        match self.used.checked_add(energy).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                Ok(())
            }
            None => {
                self.used = self.limit;
                Err(Reason::OutOfEnergy(Empty {}))
            }
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }
}
