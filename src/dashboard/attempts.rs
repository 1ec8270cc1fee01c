//! How often signing in may fail: for each key so often in a minute, and for all that are no keys
//! together. Whoever guesses ids keeps nobody out who holds a key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ccd402_domain::ids::KeyId;

const MINUTE: Duration = Duration::from_secs(60);
/// Failures in a minute with the id of a key that there is.
const OF_ONE_MAX: u32 = 5;
/// Failures in a minute with anything else.
const OF_OTHERS_MAX: u32 = 60;

/// Failures of the last minute; by no more ids than there are keys.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Option<KeyId>, (Instant, u32)>>);

impl Attempts {
    /// Whether it may be tried once more; `key` is the id of a key that there is.
    pub(crate) fn may_try(&self, key: Option<KeyId>) -> bool {
        let max = if key.is_some() { OF_ONE_MAX } else { OF_OTHERS_MAX };
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (since, _)| since.elapsed() < MINUTE);
        failures.get(&key).is_none_or(|(_, count)| *count < max)
    }

    /// It has failed.
    pub(crate) fn failed(&self, key: Option<KeyId>) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(key).or_insert_with(|| (Instant::now(), 0)).1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn guesses_are_bounded_and_keep_nobody_else_out() {
        let attempts = Attempts::default();
        let [one, two] = [1, 2].map(|number| Some(KeyId(Uuid::from_u128(number))));
        for _ in 0..OF_ONE_MAX {
            assert!(attempts.may_try(one));
            attempts.failed(one);
        }
        assert!(!attempts.may_try(one));
        assert!(attempts.may_try(two) && attempts.may_try(None));
        for _ in 0..OF_OTHERS_MAX {
            attempts.failed(None);
        }
        assert!(!attempts.may_try(None) && attempts.may_try(two));
    }
}
