//! Watches how long the disk takes, and says that the log is broken where it does not answer.
//!
//! Needed because of sled 0.34 too: where a write fails that the last of several writers to a buffer
//! began (`exit_reservation`), it stores the error and wakes nobody, and a flush that waits then
//! waits for ever. Nothing is acknowledged meanwhile, and nothing is undone here.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Status;
use crate::error::Error;

/// Since when the disk is being waited for.
pub(super) struct Waited {
    zero: Instant,
    /// Milliseconds after `zero`, and one more; 0 while nothing is waited for.
    since_ms: AtomicU64,
}

impl Default for Waited {
    fn default() -> Self {
        Self { zero: Instant::now(), since_ms: AtomicU64::new(0) }
    }
}

impl Waited {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// The wait begins; it ends when what is returned is dropped.
    pub(super) fn begin(&self) -> Waiting<'_> {
        self.since_ms.store(self.now_ms(), Ordering::Relaxed);
        Waiting(self)
    }

    /// How long it has lasted.
    fn elapsed(&self) -> Duration {
        match self.since_ms.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since_ms => Duration::from_millis(self.now_ms().saturating_sub(since_ms)),
        }
    }
}

/// The disk is being waited for.
pub(super) struct Waiting<'a>(&'a Waited);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.since_ms.store(0, Ordering::Relaxed);
    }
}

/// Runs on a thread of its own until the log is closed or broken.
pub(super) fn watch(status: &Weak<Status>, wait_max: Duration) {
    loop {
        std::thread::sleep((wait_max / 4).min(Duration::from_secs(1)));
        let Some(status) = status.upgrade() else { return };
        if status.load.is_stopped() {
            return;
        }
        if status.waited.elapsed() > wait_max {
            return status.stop(&Error::NotDurable(wait_max));
        }
    }
}
