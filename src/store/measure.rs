//! What the log tells about itself in numbers: once a batch, never an event at a time.
//!
//! Names and meanings are in ops/metrics.md. Where nobody records, this costs next to nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ccd402_app::ports::log::{Position, Recorded};
use ccd402_domain::event::Event;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles that are made once.
pub(crate) struct Measure {
    sync: Histogram,
    events: Histogram,
    position: Gauge,
    waiting: Gauge,
    confirmed: Counter,
}

impl Measure {
    /// Measures from where the log stands.
    pub(crate) fn new(position: Position, waiting: u64) -> Self {
        let confirmed =
            counter!("ccd402_verifications_total", "outcome" => "confirmed", "code" => "");
        let measure = Self {
            sync: histogram!("ccd402_log_sync_seconds"),
            events: histogram!("ccd402_log_sync_events"),
            position: gauge!("ccd402_log_position"),
            waiting: gauge!("ccd402_verifications_waiting"),
            confirmed,
        };
        measure.stands(position, waiting);
        measure
    }

    /// So much was made durable, in that time.
    pub(crate) fn synced(&self, events: usize, took: Duration) {
        self.sync.record(took.as_secs_f64());
        self.events.record(number(events as u64));
    }

    /// The log stands there now.
    pub(crate) fn stands(&self, position: Position, waiting: u64) {
        self.position.set(number(position));
        self.waiting.set(number(waiting));
    }

    /// These events are durable.
    pub(crate) fn happened(&self, events: &[Recorded]) {
        let mut of_type: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
        for recorded in events {
            *of_type.entry(recorded.event.name()).or_default() += 1;
            if let Event::VerificationFailed(failed) = &recorded.event {
                *refused.entry(failed.rejection.code.as_str()).or_default() += 1;
            }
        }
        self.confirmed.increment(of_type.get("VerificationConfirmed").copied().unwrap_or(0));
        for (name, count) in of_type {
            counter!("ccd402_events_total", "type" => name).increment(count);
        }
        for (code, count) in refused {
            counter!("ccd402_verifications_total", "outcome" => "failed", "code" => code)
                .increment(count);
        }
    }
}

/// Gauges are floating: exact up to 2^53, which no log reaches.
fn number(count: u64) -> f64 {
    count as f64
}
