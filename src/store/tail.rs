//! The newest events as they were appended: who follows the log closely, or comes back to what was
//! just written, reads no JSON.
//!
//! Only what is durable is put here, and what is gone from here is read from the log.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ccd402_app::ports::log::{Position, READ_EVENTS_MAX, Recorded, StreamId};

/// Events that are kept: some megabytes, and a tenth of a second of a full load.
const EVENTS_MAX: usize = 4_096;

/// The newest events, without a gap up to the head.
#[derive(Default)]
pub(crate) struct Tail {
    kept: RwLock<Kept>,
    is_followed: AtomicBool,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Link>,
    /// Position of the newest event of each stream that has one here.
    newest: HashMap<StreamId, Position>,
}

struct Link {
    recorded: Recorded,
    /// Position of the event before it in its stream, if that was kept when it came.
    before: Option<Position>,
}

impl Tail {
    /// Adds events that follow the last.
    pub(crate) fn push(&self, events: Vec<Recorded>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for recorded in events {
            let before = kept.newest.insert(recorded.stream.clone(), recorded.position);
            kept.events.push_back(Link { recorded, before });
        }
        while kept.events.len() > EVENTS_MAX {
            kept.drop_oldest();
        }
    }

    /// Forgets everything: the log is closed.
    pub(crate) fn clear(&self) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept::default();
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
        let kept = self.read();
        let skipped = kept.place(after + 1)?;
        Some(kept.events.iter().skip(skipped).take(max).map(|link| link.recorded.clone()).collect())
    }

    /// Events of a stream after a version, at most [`READ_EVENTS_MAX`]; `None` where not all of
    /// them are kept here.
    ///
    /// Only for a log that one process has to itself: where others append, too, this may be behind them,
    /// and whoever decides anew after a conflict must see what they have written.
    pub(crate) fn stream(&self, stream: &StreamId, after: u64) -> Option<Vec<Recorded>> {
        let kept = self.read();
        let mut link = kept.newest(stream)?;
        let mut events = Vec::new();
        while link.recorded.version > after {
            events.push(link.recorded.clone());
            if link.recorded.version == after + 1 {
                break;
            }
            link = kept.link(link.before?)?;
        }
        events.reverse();
        events.truncate(READ_EVENTS_MAX);
        Some(events)
    }

    /// The newest event of a stream, if it is kept here; for the same logs.
    pub(crate) fn last(&self, stream: &StreamId) -> Option<Recorded> {
        Some(self.read().newest(stream)?.recorded.clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Where the event of a position is, or will be should it be the next.
    fn place(&self, position: Position) -> Option<usize> {
        let first = self.events.front()?.recorded.position;
        usize::try_from(position.checked_sub(first)?).ok()
    }

    fn link(&self, position: Position) -> Option<&Link> {
        self.events.get(self.place(position)?)
    }

    fn newest(&self, stream: &StreamId) -> Option<&Link> {
        self.link(*self.newest.get(stream)?)
    }

    fn drop_oldest(&mut self) {
        let Some(Link { recorded, .. }) = self.events.pop_front() else { return };
        if self.newest.get(&recorded.stream) == Some(&recorded.position) {
            self.newest.remove(&recorded.stream);
        }
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

    /// Of one stream.
    fn versions(range: std::ops::RangeInclusive<u64>, stream: &StreamId) -> Vec<Recorded> {
        let first = *range.start();
        let mut events = events(range);
        for recorded in &mut events {
            recorded.stream = stream.clone();
            recorded.version = recorded.position - first + 1;
        }
        events
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

    #[test]
    fn of_a_stream_all_that_is_asked_for_is_answered_or_nothing() {
        let tail = Tail::default();
        let [one, other] = [1, 2].map(|number| StreamId::answer(Uuid::from_u128(number)));
        let read = |stream: &StreamId, after| {
            let events = tail.stream(stream, after)?;
            Some(events.iter().map(|recorded| recorded.version).collect::<Vec<_>>())
        };
        assert_eq!(read(&one, 0), None, "what is not here may be in the log");
        assert_eq!(tail.last(&one), None);
        tail.push(versions(1..=3, &one));
        tail.push(versions(4..=4, &other));
        assert_eq!(read(&one, 0), Some(vec![1, 2, 3]));
        assert_eq!(read(&one, 2), Some(vec![3]));
        assert_eq!(read(&one, 3), Some(vec![]));
        assert_eq!(read(&one, 9), Some(vec![]));
        assert_eq!(read(&other, 0), Some(vec![1]));
        assert_eq!(tail.last(&one).map(|recorded| recorded.position), Some(3));
        // All but the last of the first stream's, and of the other's, go.
        tail.push(events(5..=EVENTS_MAX as Position + 2));
        assert_eq!(read(&one, 0), None);
        assert_eq!(read(&one, 1), None);
        assert_eq!(read(&one, 2), Some(vec![3]));
        tail.push(events(EVENTS_MAX as Position + 3..=EVENTS_MAX as Position + 4));
        assert_eq!((read(&one, 2), read(&other, 0)), (None, None));
        assert_eq!(tail.last(&other), None);
        assert_eq!(tail.read().newest.len(), 1, "a stream of which nothing is kept takes no room");
    }
}
