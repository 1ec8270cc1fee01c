//! How much each key calls: requests over time, and requests that are being served. A batch counts
//! as many requests as it has items.
//!
//! In one process only, and forgotten with it: replicas count each for themselves.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ccd402_domain::ids::KeyId;
use ccd402_domain::key::event::Limits;
use ccd402_protocol::code::ReasonCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, NotUntil, Quota, RateLimiter};
use http::StatusCode;

use crate::problem::Problem;

/// The meters of all keys that have called. There are no more than keys.
#[derive(Default)]
pub(crate) struct Meters {
    of: RwLock<HashMap<KeyId, Arc<Meter>>>,
    clock: DefaultClock,
}

struct Meter {
    rate: DefaultDirectRateLimiter,
    in_flight: AtomicU32,
    in_flight_max: NonZeroU32,
    burst: NonZeroU32,
}

type Moment = <DefaultClock as Clock>::Instant;

/// One request that is being served, until this is dropped.
pub(crate) struct InFlight(Arc<Meter>);

impl Meters {
    /// Counts one request of a key.
    ///
    /// # Errors
    /// 429 where it is one too many.
    pub(crate) fn enter(&self, key: KeyId, limits: Limits) -> Result<InFlight, Problem> {
        let meter = self.meter(key, limits);
        let add = |count: u32| (count < meter.in_flight_max.get()).then_some(count + 1);
        let entered = meter.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if entered.is_err() {
            return Err(Problem::too_many(ReasonCode::TooManyInFlight, Duration::from_secs(1)));
        }
        let in_flight = InFlight(Arc::clone(&meter));
        match meter.rate.check() {
            Ok(()) => Ok(in_flight),
            Err(not_until) => Err(self.limited(&not_until)),
        }
    }

    /// Counts one request of a key, which has entered, as that many: all of them or none.
    ///
    /// # Errors
    /// 429 where they are too many for now, 413 where so many may never come at once.
    pub(crate) fn counts_as(&self, key: KeyId, requests: usize) -> Result<(), Problem> {
        let found = self.of.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let meter = found.ok_or_else(Problem::internal)?;
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        if requests > meter.burst.get() {
            return Err(too_many_at_once(requests, meter.burst));
        }
        // The one that has entered was counted then.
        let Some(more) = NonZeroU32::new(requests.saturating_sub(1)) else { return Ok(()) };
        match meter.rate.check_n(more) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(self.limited(&not_until)),
            Err(_) => Err(too_many_at_once(requests, meter.burst)),
        }
    }

    fn limited(&self, not_until: &NotUntil<Moment>) -> Problem {
        let wait = not_until.wait_time_from(self.clock.now());
        Problem::too_many(ReasonCode::RateLimited, wait)
    }

    fn meter(&self, key: KeyId, limits: Limits) -> Arc<Meter> {
        let found = self.of.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        found.unwrap_or_else(|| {
            let mut of = self.of.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(of.entry(key).or_insert_with(|| Arc::new(Meter::new(limits))))
        })
    }
}

impl Meter {
    fn new(limits: Limits) -> Self {
        Self {
            rate: RateLimiter::direct(Quota::per_second(limits.rate).allow_burst(limits.burst)),
            in_flight: AtomicU32::new(0),
            in_flight_max: limits.in_flight,
            burst: limits.burst,
        }
    }
}

/// Coming again later would be of no use.
fn too_many_at_once(requests: u32, burst: NonZeroU32) -> Problem {
    let detail = format!(
        "a batch of {requests} counts as {requests} requests, and the key allows {burst} at once: \
         send smaller batches"
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ReasonCode::RequestTooLarge, detail)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn limits(rate: u32, burst: u32, in_flight: u32) -> Limits {
        let count = |count| NonZeroU32::new(count).unwrap();
        Limits { rate: count(rate), burst: count(burst), in_flight: count(in_flight) }
    }

    fn key(number: u128) -> KeyId {
        KeyId(Uuid::from_u128(number))
    }

    #[test]
    fn no_more_are_in_flight_than_allowed_and_each_key_counts_alone() {
        let meters = Meters::default();
        let limits = limits(1_000, 1_000, 2);
        let code = |key| meters.enter(key, limits).map_err(|problem| problem.code);
        let (first, _second) = (code(key(1)).ok(), code(key(1)).ok());
        assert_eq!(code(key(1)).err(), Some(ReasonCode::TooManyInFlight));
        assert!(code(key(2)).is_ok());
        drop(first);
        assert!(code(key(1)).is_ok());
    }

    #[test]
    fn many_in_one_count_as_many_all_or_none() {
        let meters = Meters::default();
        let limits = limits(1, 100, 10);
        assert_eq!(meters.counts_as(key(1), 1), Err(Problem::internal()), "it never entered");
        let _in_flight = meters.enter(key(1), limits).ok().unwrap();
        let code = |requests| meters.counts_as(key(1), requests).map_err(|problem| problem.code);
        assert_eq!(code(1), Ok(()));
        assert_eq!(code(101), Err(ReasonCode::RequestTooLarge));
        assert_eq!(code(usize::MAX), Err(ReasonCode::RequestTooLarge));
        assert_eq!(code(60), Ok(()));
        // 60 more are too many for half a minute; what is refused is not counted.
        assert_eq!(code(60), Err(ReasonCode::RateLimited));
        assert_eq!(code(40), Ok(()));
    }

    #[test]
    fn no_more_come_at_once_than_the_burst() {
        let meters = Meters::default();
        let limits = limits(1, 3, 100);
        let passed = (0..50).take_while(|_| meters.enter(key(1), limits).is_ok()).count();
        // A second makes room for one more: how long this takes is the machine's business.
        assert!((3..50).contains(&passed), "{passed}");
    }
}
