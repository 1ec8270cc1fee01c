//! What a replica knows of the log: where it ends, how many wait, the newest events.
//!
//! Two tell it: the writer what it has appended, and the tailer what it has seen of others. Each
//! tells what is durable, and the later position wins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ccd402_app::ports::log::{Position, Recorded};
use ccd402_domain::tenant::TenantId;
use tokio::sync::watch;

use super::rows::Written;
use crate::draft::Tip;
use crate::error::Error;
use crate::measure::Measure;
use crate::queue::Load;
use crate::tail::Tail;

/// What is shared by the handles, the writer and the tailer.
pub(super) struct Status {
    pub(super) load: Arc<Load>,
    pub(super) tail: Tail,
    pub(super) measure: Measure,
    head: watch::Sender<Position>,
    known: Mutex<Known>,
    waits: RwLock<Waits>,
    is_appending: AtomicBool,
}

/// How far this replica has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The head.
    pub(super) tip: Tip,
    /// All counts are at least as new as this.
    pub(super) counted: Position,
}

/// What one look at the database has found.
pub(super) struct Seen {
    pub(super) tip: Tip,
    /// The counts that changed after what was counted before, and where each did.
    pub(super) counts: Vec<(TenantId, u64, Position)>,
}

#[derive(Default)]
struct Waits {
    total: u64,
    of: HashMap<TenantId, (u64, Position)>,
}

impl Status {
    /// Begins with the first look.
    pub(super) fn new(load: Arc<Load>, seen: Seen) -> Self {
        let tip = seen.tip;
        let status = Self {
            load,
            tail: Tail::default(),
            measure: Measure::new(tip.position, 0),
            head: watch::Sender::new(tip.position),
            known: Mutex::new(Known { tip, counted: 0 }),
            waits: RwLock::default(),
            is_appending: AtomicBool::new(false),
        };
        status.saw(status.known(), seen, None);
        status
    }

    /// How far this replica has come.
    pub(super) fn known(&self) -> Known {
        *self.lock()
    }

    /// The head, as the port shows it.
    pub(super) fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// How many wait in all.
    pub(super) fn waiting(&self) -> u64 {
        self.waits.read().unwrap_or_else(PoisonError::into_inner).total
    }

    /// How many of a tenant's wait.
    pub(super) fn waiting_of(&self, tenant: &TenantId) -> u64 {
        let waits = self.waits.read().unwrap_or_else(PoisonError::into_inner);
        waits.of.get(tenant).map_or(0, |(count, _)| *count)
    }

    /// Whether this replica has begun a batch, and has not heard how it went.
    pub(super) fn is_appending(&self) -> bool {
        self.is_appending.load(Ordering::Relaxed)
    }

    /// It has begun one, or heard.
    pub(super) fn set_appending(&self, is_appending: bool) {
        self.is_appending.store(is_appending, Ordering::Relaxed);
    }

    /// This replica has appended after a head.
    pub(super) fn appended(&self, head: Tip, written: Written) {
        let Written { tip, events, counts } = written;
        let mut known = self.lock();
        self.count(counts.into_iter().map(|(tenant, count)| (tenant, count, tip.position)));
        if known.counted == head.position {
            known.counted = tip.position;
        }
        self.measure.happened(&events);
        // Where the tailer was faster, it has said all of it already.
        if known.tip.position < tip.position {
            if known.tip.position < head.position {
                // Others have appended between: what is kept must have no gap.
                self.tail.clear();
            }
            self.tail.push(events);
            self.move_to(&mut known, tip);
        }
    }

    /// The database was looked at, since it was known so far; also the events from there to the head
    /// where they were read.
    pub(super) fn saw(&self, since: Known, seen: Seen, events: Option<Vec<Recorded>>) {
        let Seen { tip, counts } = seen;
        let mut known = self.lock();
        self.count(counts);
        known.counted = known.counted.max(tip.position);
        if tip.position > known.tip.position {
            match events {
                Some(events) if since.tip.position == known.tip.position => self.tail.push(events),
                _ => self.tail.clear(),
            }
            self.move_to(&mut known, tip);
        } else {
            self.measure.stands(known.tip.position, self.waiting());
        }
    }

    fn move_to(&self, known: &mut Known, tip: Tip) {
        known.tip = tip;
        self.measure.stands(tip.position, self.waiting());
        self.head.send_replace(tip.position);
    }

    fn count(&self, counts: impl IntoIterator<Item = (TenantId, u64, Position)>) {
        let mut waits = self.waits.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, count, position) in counts {
            let (before, at) = waits.of.get(&tenant).copied().unwrap_or((0, 0));
            if position >= at {
                waits.total = waits.total - before + count;
                waits.of.insert(tenant, (count, position));
            }
        }
    }

    /// A panic elsewhere leaves the numbers as they were before or after.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Checks that a head that was read later does not stand before this one.
    pub(super) fn check(&self, found: Tip) -> Result<(), Error> {
        let known = self.tip;
        let is_other = found.position == known.position && found.hash != known.hash;
        if found.position < known.position || is_other {
            return Err(Error::Receded { found: found.position, known: known.position });
        }
        Ok(())
    }
}
