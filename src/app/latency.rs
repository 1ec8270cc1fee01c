//! How long submissions took lately in this process: from being taken in to being durable.
//!
//! Kept by the minute and forgotten after ten; for whoever looks, not for measuring over time, which
//! is what metrics are for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::facilitator::Facilitator;
use crate::ports::read_model::Percentiles;
use crate::projections::tallies::rounded_up;

/// How long one gathering lasts, and how many are kept.
const MINUTE: Duration = Duration::from_secs(60);
const MINUTES_MAX: usize = 10;

/// Times by how often they were taken, a minute each; the newest last.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Mutex<VecDeque<(Instant, BTreeMap<u64, u64>)>>);

impl Latencies {
    /// Something took so long.
    pub(crate) fn record(&self, took: Duration) {
        let micros = rounded_up(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let now = Instant::now();
        // Every change leaves the counts whole, so a panic elsewhere does not spoil them.
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|(since, _)| now - *since >= MINUTE) {
            minutes.push_back((now, BTreeMap::new()));
        }
        while minutes.len() > MINUTES_MAX {
            minutes.pop_front();
        }
        if let Some((_, counts)) = minutes.back_mut() {
            *counts.entry(micros).or_default() += 1;
        }
    }

    fn lately(&self) -> Percentiles {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeMap<u64, u64> = BTreeMap::new();
        let is_late = |since: &Instant| since.elapsed() < MINUTE * MINUTES_MAX as u32;
        for (_, counts) in minutes.iter().filter(|(since, _)| is_late(since)) {
            for (micros, times) in counts {
                *all.entry(*micros).or_default() += times;
            }
        }
        Percentiles::of(&all.into_iter().collect::<Vec<_>>())
    }
}

impl Facilitator {
    /// How many microseconds submissions took in the last ten minutes, at most an eighth too many.
    #[must_use]
    pub fn submit_latency(&self) -> Percentiles {
        self.submits.lately()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_told_by_rank() {
        let latencies = Latencies::default();
        assert_eq!(latencies.lately(), Percentiles::default());
        for ms in 1..=100 {
            latencies.record(Duration::from_millis(ms));
        }
        let Percentiles { count, p50, p90, p99 } = latencies.lately();
        assert_eq!(count, 100);
        for (told, ms) in [(p50, 50), (p90, 90), (p99, 99)] {
            let micros = ms * 1_000;
            assert!(told >= micros && told <= micros + micros / 8, "{told} {micros}");
        }
    }
}
