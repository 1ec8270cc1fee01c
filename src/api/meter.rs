//! How much each key calls: requests over time, and requests that are being served. A batch counts
//! as many requests as it has items.
//!
//! Forgotten with the process. Each counts for itself, and what others tell it that they have counted:
//! see `rates`.

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
    /// Requests since others were told.
    counted: AtomicU32,
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
            Ok(()) => {
                meter.count(1);
                Ok(in_flight)
            }
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
            Ok(Ok(())) => {
                meter.count(more.get());
                Ok(())
            }
            Ok(Err(not_until)) => Err(self.limited(&not_until)),
            Err(_) => Err(too_many_at_once(requests, meter.burst)),
        }
    }

    /// What each key was counted for since the last time.
    pub(crate) fn take_counted(&self) -> Vec<(KeyId, u32)> {
        let of = self.of.read().unwrap_or_else(PoisonError::into_inner);
        let counted =
            of.iter().map(|(key, meter)| (*key, meter.counted.swap(0, Ordering::Relaxed)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Another process has counted a key for so many requests. Who has not called here is not known
    /// here, and begins anew.
    pub(crate) fn charge(&self, key: KeyId, count: u32) {
        let found = self.of.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let Some(meter) = found else { return };
        let mut left = count.min(meter.burst.get());
        let mut step = left;
        // As many as there is room for: what is over must not be lost with the rest.
        while let Some(count) = NonZeroU32::new(step.min(left)) {
            match meter.rate.check_n(count) {
                Ok(Ok(())) => left -= count.get(),
                Ok(Err(_)) | Err(_) => step = count.get() / 2,
            }
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
    fn count(&self, requests: u32) {
        self.counted.fetch_add(requests, Ordering::Relaxed);
    }

    fn new(limits: Limits) -> Self {
        Self {
            counted: AtomicU32::new(0),
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
    fn what_others_have_counted_is_not_there_any_more() {
        let [here, there] = [Meters::default(), Meters::default()];
        let limits = limits(1, 100, 100);
        let _entered = [&here, &there].map(|meters| meters.enter(key(1), limits).ok().unwrap());
        here.counts_as(key(1), 60).unwrap();
        assert_eq!(here.take_counted(), [(key(1), 60)]);
        assert_eq!(here.take_counted(), []);
        there.charge(key(1), 60);
        there.charge(key(2), 60);
        let code = |requests| there.counts_as(key(1), requests).map_err(|problem| problem.code);
        assert_eq!(code(50), Err(ReasonCode::RateLimited));
        assert_eq!(code(30), Ok(()));
        // More than is left: then nothing is.
        there.charge(key(1), u32::MAX);
        assert_eq!(code(5), Err(ReasonCode::RateLimited));
        assert_eq!(there.take_counted(), [(key(1), 30)]);
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
