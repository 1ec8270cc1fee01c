//! What one webhook is still to be told, and where each of it stands: to be queued, queued, or to be
//! tried again at a time.
//!
//! Few of them are queued at once. What waits for its time waits here, so that a receiver that takes
//! nothing for days fills no queue that others need.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::ports::log::Position;

/// Transitions of one webhook that are queued at the same time: some more than are sent at the same
/// time, few beside what a queue holds.
pub(crate) const QUEUED_MAX: usize = 32;

/// Where a transition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Ready,
    Queued,
    Due(DateTime<Utc>),
}

/// Transitions that are to be delivered.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    stands: BTreeMap<Position, Stand>,
    ready: BTreeSet<Position>,
    due: BTreeSet<(DateTime<Utc>, Position)>,
}

impl Outstanding {
    /// These, all of them to be queued.
    pub(crate) fn of(positions: &BTreeSet<Position>) -> Self {
        let mut outstanding = Self::default();
        for position in positions {
            outstanding.put(*position, Stand::Ready);
        }
        outstanding
    }

    pub(crate) fn len(&self) -> usize {
        self.stands.len()
    }

    pub(crate) fn positions(&self) -> BTreeSet<Position> {
        self.stands.keys().copied().collect()
    }

    /// One more is to be queued; false where it is there already.
    pub(crate) fn add(&mut self, position: Position) -> bool {
        let is_new = !self.stands.contains_key(&position);
        if is_new {
            self.put(position, Stand::Ready);
        }
        is_new
    }

    /// One is done with; false where it is not there.
    pub(crate) fn end(&mut self, position: Position) -> bool {
        let is_there = self.stands.contains_key(&position);
        self.take(position);
        is_there
    }

    /// One is to be tried again, not before that time.
    pub(crate) fn put_off(&mut self, position: Position, at: DateTime<Utc>) {
        if self.stands.contains_key(&position) {
            self.take(position);
            self.put(position, Stand::Due(at));
        }
    }

    /// Nothing is queued any more: the webhook is not told for the time being.
    pub(crate) fn unqueue(&mut self) {
        for position in self.queued() {
            self.take(position);
            self.put(position, Stand::Ready);
        }
    }

    /// Queues as much as may be of what is due, the oldest first.
    pub(crate) fn queue(&mut self, now: DateTime<Utc>) -> Vec<Position> {
        while let Some((_, position)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.take(position);
            self.put(position, Stand::Ready);
        }
        let waiting = self.ready.len() + self.due.len();
        let room = QUEUED_MAX.saturating_sub(self.stands.len() - waiting);
        let queued: Vec<Position> = self.ready.iter().take(room).copied().collect();
        for position in &queued {
            self.take(*position);
            self.put(*position, Stand::Queued);
        }
        queued
    }

    /// What is queued.
    pub(crate) fn queued(&self) -> Vec<Position> {
        let queued = self.stands.iter().filter(|(_, stand)| **stand == Stand::Queued);
        queued.map(|(position, _)| *position).collect()
    }

    /// When the next is due that waits for its time.
    pub(crate) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.due.first().map(|(at, _)| *at)
    }

    fn put(&mut self, position: Position, stand: Stand) {
        match stand {
            Stand::Ready => drop(self.ready.insert(position)),
            Stand::Due(at) => drop(self.due.insert((at, position))),
            Stand::Queued => {}
        }
        self.stands.insert(position, stand);
    }

    fn take(&mut self, position: Position) {
        match self.stands.remove(&position) {
            Some(Stand::Ready) => drop(self.ready.remove(&position)),
            Some(Stand::Due(at)) => drop(self.due.remove(&(at, position))),
            Some(Stand::Queued) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn few_are_queued_and_others_follow_as_they_end() {
        let mut outstanding = Outstanding::of(&(1..=100).collect());
        let first = outstanding.queue(at(0));
        assert_eq!(first, (1..=QUEUED_MAX as u64).collect::<Vec<_>>());
        assert!(outstanding.queue(at(0)).is_empty());
        assert!(outstanding.end(3) && !outstanding.end(3));
        outstanding.put_off(5, at(60));
        let next = QUEUED_MAX as u64;
        assert_eq!(outstanding.queue(at(0)), [next + 1, next + 2]);
        assert_eq!(outstanding.len(), 99);
    }

    #[test]
    fn what_waits_for_its_time_takes_no_room_and_comes_first_when_it_is_due() {
        let mut outstanding = Outstanding::of(&(1..=200).collect());
        for position in 1..=100 {
            outstanding.put_off(position, at(60));
        }
        assert_eq!(outstanding.queue(at(0))[0], 101);
        assert_eq!(outstanding.next_due(), Some(at(60)));
        for position in 101..=200 {
            outstanding.end(position);
        }
        assert!(outstanding.queue(at(59)).is_empty());
        assert_eq!(outstanding.queue(at(60))[..2], [1, 2]);
        assert_eq!((outstanding.next_due(), outstanding.len()), (None, 100));
    }

    #[test]
    fn what_is_put_off_again_has_one_time() {
        let mut outstanding = Outstanding::of(&[1].into());
        outstanding.put_off(1, at(60));
        outstanding.put_off(1, at(90));
        outstanding.put_off(2, at(10));
        assert!(outstanding.queue(at(60)).is_empty());
        assert_eq!(outstanding.queue(at(90)), [1]);
        assert!(!outstanding.add(1), "it is there already");
        outstanding.unqueue();
        assert!(outstanding.queued().is_empty());
        assert_eq!(outstanding.queue(at(90)), [1]);
        assert_eq!(outstanding.positions(), [1].into());
    }
}
