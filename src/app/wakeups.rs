//! Wakes those who wait for something, a verification as a rule, and lets one at a time work on it.
//!
//! In one process only, and only a hint: who is woken reads the log again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ccd402_domain::ids::VerificationId;
use tokio::sync::Notify;

/// Entries after which forgotten ones are swept out.
const SWEEP_EVERY: usize = 1_024;

/// Who waits for what.
#[derive(Debug)]
pub(crate) struct Wakeups<K = VerificationId> {
    entries: Mutex<HashMap<K, Weak<Entry>>>,
}

impl<K> Default for Wakeups<K> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

/// One thing that somebody waits for or works on.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Something of it has changed.
    pub(crate) changed: Notify,
    /// Held by whoever runs its checks, so that a proof is checked once for many who ask.
    pub(crate) working: tokio::sync::Mutex<()>,
}

impl<K: Copy + Eq + Hash> Wakeups<K> {
    /// The entry of one, for as long as the caller holds it.
    #[must_use]
    pub(crate) fn entry(&self, id: K) -> Arc<Entry> {
        let mut entries = self.lock();
        if let Some(entry) = entries.get(&id).and_then(Weak::upgrade) {
            return entry;
        }
        if entries.len() >= SWEEP_EVERY && entries.len().is_power_of_two() {
            entries.retain(|_, entry| entry.strong_count() > 0);
        }
        let entry = Arc::new(Entry::default());
        entries.insert(id, Arc::downgrade(&entry));
        entry
    }

    /// Wakes everybody who waits for it.
    pub(crate) fn wake(&self, id: K) {
        let entry = {
            let mut entries = self.lock();
            let entry = entries.get(&id).and_then(Weak::upgrade);
            if entry.is_none() {
                entries.remove(&id);
            }
            entry
        };
        if let Some(entry) = entry {
            entry.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Weak<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
