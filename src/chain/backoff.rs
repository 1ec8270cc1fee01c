//! How long to wait before trying again: exponential, jittered, capped.

use std::time::Duration;

use rand::Rng;

/// Doublings after which the delay no longer grows.
const DOUBLINGS_MAX: u32 = 16;

/// The shape of the delays between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Delay after the first failure, before jitter. Default 200 ms.
    pub first: Duration,
    /// Longest delay. Default 10 s.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), max: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The delay after `failures` failures in a row: between half and all of the doubled delay, so
    /// that many callers do not come back at once.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
        let full = self.first.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_keep_half_of_it() {
        let backoff =
            Backoff { first: Duration::from_millis(100), max: Duration::from_millis(800) };
        for (failures, full_ms) in [(0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (99, 800)] {
            let delay = backoff.delay(failures);
            let full = Duration::from_millis(full_ms);
            assert!(delay <= full && delay >= full / 2, "{failures}: {delay:?}");
        }
    }
}
