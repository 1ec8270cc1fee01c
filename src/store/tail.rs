//! The newest events as they were appended: who follows the log closely reads no JSON.
//!
//! Only what is durable is put here, and what is gone from here is read from the log.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use ccd402_app::ports::log::{Position, Recorded};

/// Events that are kept: some megabytes, and a tenth of a second of a full load.
const EVENTS_MAX: usize = 4_096;

/// The newest events, without a gap up to the head.
#[derive(Default)]
pub(crate) struct Tail {
    events: RwLock<VecDeque<Recorded>>,
    is_followed: AtomicBool,
}

impl Tail {
    /// Adds events that follow the last.
    pub(crate) fn push(&self, events: Vec<Recorded>) {
        let mut kept = self.events.write().unwrap_or_else(PoisonError::into_inner);
        kept.extend(events);
        let over = kept.len().saturating_sub(EVENTS_MAX);
        kept.drain(..over);
    }

    /// Forgets everything: the log is closed.
    pub(crate) fn clear(&self) {
        self.events.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether anyone has asked for events since this was taken last.
    pub(crate) fn is_followed(&self) -> bool {
        self.is_followed.load(Ordering::Relaxed)
    }

    /// The same, for those who ask from now on.
    pub(crate) fn take_followed(&self) -> bool {
        self.is_followed.swap(false, Ordering::Relaxed)
    }

    /// Events after a position, at most `max`; `None` where the next one is not kept here.
    pub(crate) fn after(&self, after: Position, max: usize) -> Option<Vec<Recorded>> {
        self.is_followed.store(true, Ordering::Relaxed);
        let kept = self.events.read().unwrap_or_else(PoisonError::into_inner);
        let first = kept.front()?.position;
        let skipped = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        Some(kept.iter().skip(skipped).take(max).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use ccd402_app::contract::sample::requested;
    use ccd402_app::ports::log::StreamId;
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn events(positions: std::ops::RangeInclusive<Position>) -> Vec<Recorded> {
        let recorded = |position| Recorded {
            position,
            id: Uuid::nil(),
            stream: StreamId::answer(Uuid::nil()),
            version: position,
            time: DateTime::UNIX_EPOCH,
            event: requested(1, 1),
        };
        positions.map(recorded).collect()
    }

    fn positions(tail: &Tail, after: Position, max: usize) -> Option<Vec<Position>> {
        Some(tail.after(after, max)?.iter().map(|recorded| recorded.position).collect())
    }

    #[test]
    fn whoever_asks_follows() {
        let tail = Tail::default();
        tail.push(events(1..=2));
        assert!(!tail.take_followed());
        tail.after(0, 1);
        assert!(tail.is_followed());
        assert!(tail.take_followed());
        assert!(!tail.take_followed());
    }

    #[test]
    fn only_what_is_kept_without_a_gap_is_answered() {
        let tail = Tail::default();
        assert_eq!(positions(&tail, 0, 9), None);
        tail.push(events(5..=7));
        assert_eq!(positions(&tail, 3, 9), None);
        assert_eq!(positions(&tail, 4, 9), Some(vec![5, 6, 7]));
        assert_eq!(positions(&tail, 5, 1), Some(vec![6]));
        assert_eq!(positions(&tail, 7, 9), Some(vec![]));
        tail.push(events(8..=8 + EVENTS_MAX as Position));
        assert_eq!(positions(&tail, 7, 1), None);
        assert_eq!(positions(&tail, 8, 1), Some(vec![9]));
        tail.clear();
        assert_eq!(positions(&tail, 8, 1), None);
    }
}
