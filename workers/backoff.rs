//! Waiting between tries: exponential, jittered, capped.

use std::time::Duration;

use rand::Rng as _;

/// The waits of one series of failures.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// Begins with `first`, doubles, never exceeds `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { next: first, first, max }
    }

    /// The next wait: between half and all of the current step.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        step.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
    }

    /// Begins anew, after something went well.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The wait after a number of tries that is kept elsewhere: exponential, jittered, capped.
#[must_use]
pub fn wait_after(attempt: u32, first: Duration, max: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let step = first.saturating_mul(1 << doublings).min(max);
    step.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for _ in 0..10 {
            assert!(backoff.next_wait() <= Duration::from_secs(1));
        }
        assert!(backoff.next_wait() >= Duration::from_millis(500));
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }

    #[test]
    fn waits_by_number_are_the_same_as_in_a_row() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(1));
        for (attempt, most) in
            [(0, 100), (1, 100), (2, 200), (4, 800), (5, 1_000), (u32::MAX, 1_000)]
        {
            let wait = wait_after(attempt, first, max).as_millis();
            assert!((most / 2..=most).contains(&wait), "{attempt}: {wait}");
        }
    }
}
