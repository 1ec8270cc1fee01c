//! When to try again: what `Retry-After` says, and backoff where it says nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng as _;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Longest wait that somebody else may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Doublings after which the delay no longer grows.
const DOUBLINGS_MAX: u32 = 16;

/// Waits that double from the first to the longest, jittered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before jitter.
    pub first: Duration,
    /// Before jitter.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The wait after so many tries: between half of the doubled delay and all of it.
    pub(crate) fn delay(&self, tries: u32) -> Duration {
        let doublings = tries.saturating_sub(1).min(DOUBLINGS_MAX);
        let full = self.first.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
    }
}

/// What `Retry-After` asks for, in seconds or as a date, bounded.
pub(crate) fn after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Duration> {
        let now = DateTime::from_timestamp(1_445_412_470, 0).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        after(&headers, now)
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let cases = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("4000000000", Some(300)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(10)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(asked(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn delays_grow_to_the_cap_and_keep_half_of_it() {
        let backoff = Backoff { first: Duration::from_millis(1), max: Duration::from_millis(4) };
        for (tries, full_ms) in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (u32::MAX, 4)] {
            let (delay, full) = (backoff.delay(tries), Duration::from_millis(full_ms));
            assert!(delay <= full && delay >= full / 2, "{tries}: {delay:?}");
        }
    }
}
