//! How many verifications wait, in all and of each tenant: in memory, in step with the index beside
//! the log, and counted anew from it at every opening.
//!
//! What begins and ends a wait is the draft's to say. Nobody is turned away here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use ccd402_domain::tenant::TenantId;

/// What an event changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// One more of the tenant's waits.
    Begins(TenantId),
    /// One less does.
    Ends(TenantId),
}

/// The counts. Tenants of whom none waits take no room.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    total: AtomicU64,
    of: RwLock<HashMap<TenantId, u64>>,
}

impl Waits {
    /// Counts changes that are durable.
    pub(crate) fn change(&self, changes: impl IntoIterator<Item = Change>) {
        let mut of = self.of.write().unwrap_or_else(PoisonError::into_inner);
        let mut total = self.total();
        for change in changes {
            match change {
                Change::Begins(tenant) => {
                    *of.entry(tenant).or_default() += 1;
                    total += 1;
                }
                Change::Ends(tenant) => {
                    let count = of.get_mut(&tenant).expect("a wait that ends was counted");
                    *count -= 1;
                    if *count == 0 {
                        of.remove(&tenant);
                    }
                    total -= 1;
                }
            }
        }
        self.total.store(total, Ordering::Relaxed);
    }

    /// How many wait in all.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many of a tenant's wait.
    pub(crate) fn of(&self, tenant: &TenantId) -> u64 {
        let of = self.of.read().unwrap_or_else(PoisonError::into_inner);
        of.get(tenant).copied().unwrap_or(0)
    }
}
