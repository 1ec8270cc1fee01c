//! Time as the chain sees it: the system's, or one that a test drives. It never goes backwards when
//! driven, and it does not correct a system clock that does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Where the chain takes its time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The time of the machine; blocks appear by themselves.
    #[default]
    System,
    /// Time stands still until a test advances it.
    Driven(DrivenClock),
}

/// A clock that moves when told to; clones show and move the same time.
#[derive(Clone, Debug)]
pub struct DrivenClock(watch::Sender<u64>);

impl DrivenClock {
    /// A clock that stands at `start`, to the millisecond.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self(watch::Sender::new(millis(start)))
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(*self.0.borrow())
    }

    /// Moves it forward and wakes who waits for the time reached.
    ///
    /// The chain follows in the background; `Handle::advance` also waits until it has.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.saturating_add(duration_ms(by)));
    }
}

impl Clock {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Driven(clock) => clock.now(),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        millis(self.now())
    }

    /// Waits until the clock shows `deadline_ms` or later.
    pub(crate) async fn sleep_until(&self, deadline_ms: u64) {
        match self {
            Self::System => {
                let wait_ms = deadline_ms.saturating_sub(self.now_ms());
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            Self::Driven(clock) => {
                let mut time = clock.0.subscribe();
                // The sender lives in `clock`, so waiting cannot fail.
                let _ = time.wait_for(|now| *now >= deadline_ms).await;
            }
        }
    }
}

/// A duration in whole milliseconds, as long as a `u64` holds it.
pub(crate) fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn millis(time: SystemTime) -> u64 {
    duration_ms(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
