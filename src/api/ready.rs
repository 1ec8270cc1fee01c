//! Whether the facilitator can do its work, part by part, as those who watch the parts report.
//!
//! `/readyz` reads; nothing here asks a node or the log. `/health` has one word for all, see
//! [`crate::health`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

/// The word of a part that works.
const OK: &str = "ok";
/// The word of a facilitator of which nothing was reported yet.
const STARTING: &str = "starting";

/// A handle to report to and to read from; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, &'static str>>>);

/// What `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ready {
    /// `ok`, or the word of the first part that does not work.
    pub status: &'static str,
    /// Each part with its word.
    pub parts: BTreeMap<&'static str, &'static str>,
}

impl Readiness {
    /// A part works, or why it does not: a stable word in snake_case.
    pub fn report(&self, part: &'static str, amiss: Option<&'static str>) {
        // One insertion: a panic elsewhere leaves nothing half done.
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(part, amiss.unwrap_or(OK));
    }

    /// How all parts are. Before anything was reported it is not ready.
    #[must_use]
    pub fn check(&self) -> Ready {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = match parts.values().find(|word| **word != OK) {
            Some(amiss) => amiss,
            None if parts.is_empty() => STARTING,
            None => OK,
        };
        Ready { status, parts }
    }
}

impl Ready {
    /// Whether every part works.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_says_so() {
        let readiness = Readiness::default();
        assert_eq!(readiness.check().status, "starting");
        readiness.report("log", None);
        readiness.report("node", Some("node_unavailable"));
        let ready = readiness.check();
        assert!(!ready.is_ok());
        assert_eq!((ready.status, ready.parts["log"]), ("node_unavailable", "ok"));
        readiness.report("node", None);
        assert!(readiness.check().is_ok());
    }
}
