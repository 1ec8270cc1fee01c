//! Whether the facilitator can do its work, as the parts that do it report.
//!
//! The composition and the routes report; `/health` reads. Nothing here asks a node or the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A handle to report to and to read from; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Condition>>);

#[derive(Debug, Default)]
struct Condition {
    last_block: Option<(u64, Instant)>,
    is_halted: bool,
    is_log_broken: bool,
}

/// Why the facilitator cannot do its work. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amiss {
    /// The log cannot be written. The process must be restarted.
    LogUnavailable,
    /// The follower met what it does not understand. Someone must act.
    FollowerHalted,
    /// No finalized block for too long, or none yet.
    NodeUnavailable,
}

impl Amiss {
    /// The status that `/health` shows: stable, snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogUnavailable => "log_unavailable",
            Self::FollowerHalted => "follower_halted",
            Self::NodeUnavailable => "node_unavailable",
        }
    }
}

impl Health {
    /// The follower has applied the finalized block of this height just now.
    pub fn followed(&self, height: u64) {
        self.lock().last_block = Some((height, Instant::now()));
    }

    /// The follower has halted for good.
    pub fn halted(&self) {
        self.lock().is_halted = true;
    }

    /// The log has refused an append for good.
    pub fn log_broken(&self) {
        self.lock().is_log_broken = true;
    }

    /// The height that was followed last, if everything works.
    ///
    /// # Errors
    /// What is amiss, the worst of it.
    pub fn check(&self, block_age_max: Duration) -> Result<u64, Amiss> {
        self.check_at(Instant::now(), block_age_max)
    }

    fn check_at(&self, now: Instant, block_age_max: Duration) -> Result<u64, Amiss> {
        let condition = self.lock();
        if condition.is_log_broken {
            return Err(Amiss::LogUnavailable);
        }
        if condition.is_halted {
            return Err(Amiss::FollowerHalted);
        }
        match condition.last_block {
            Some((height, seen_at)) if now.duration_since(seen_at) <= block_age_max => Ok(height),
            _ => Err(Amiss::NodeUnavailable),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        // Each report sets one field, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(60);

    #[test]
    fn the_worst_is_named_first() {
        let health = Health::default();
        let later = Instant::now() + AGE_MAX;
        assert_eq!(health.check(AGE_MAX), Err(Amiss::NodeUnavailable));
        health.followed(7);
        assert_eq!(health.check_at(later, AGE_MAX), Ok(7));
        let too_late = later + AGE_MAX;
        assert_eq!(health.check_at(too_late, AGE_MAX), Err(Amiss::NodeUnavailable));
        health.halted();
        assert_eq!(health.check_at(later, AGE_MAX), Err(Amiss::FollowerHalted));
        health.log_broken();
        assert_eq!(health.check_at(later, AGE_MAX), Err(Amiss::LogUnavailable));
    }
}
