//! How many event streams are open, in all and for each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ccd402_domain::tenant::TenantId;

/// The streams that are open.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// A place for a stream; free again once it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Arc<Streams>,
    tenant: TenantId,
}

impl Streams {
    /// A place for a stream of a tenant; none where as many are open as may be.
    pub(crate) fn open(
        self: &Arc<Self>,
        tenant: &TenantId,
        (all_max, tenant_max): (usize, usize),
    ) -> Option<Place> {
        let mut open = self.lock();
        let own = open.by_tenant.get(tenant).copied().unwrap_or(0);
        if open.all >= all_max || own >= tenant_max {
            return None;
        }
        open.all += 1;
        open.by_tenant.insert(tenant.clone(), own + 1);
        Some(Place { streams: Arc::clone(self), tenant: tenant.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Counts are changed in steps that cannot fail, so a panic elsewhere leaves them right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.all -= 1;
        if let Some(own) = open.by_tenant.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                open.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each_tenant() {
        let streams = Arc::new(Streams::default());
        let [a, b] = ["a", "b"].map(|name| name.parse::<TenantId>().unwrap());
        let first = streams.open(&a, (3, 2)).unwrap();
        let _second = streams.open(&a, (3, 2)).unwrap();
        assert!(streams.open(&a, (3, 2)).is_none(), "as many as a tenant may have");
        let _third = streams.open(&b, (3, 2)).unwrap();
        assert!(streams.open(&b, (3, 2)).is_none(), "as many as there may be");
        drop(first);
        drop(streams.open(&b, (3, 2)).unwrap());
        assert_eq!(streams.lock().by_tenant.get(&b), Some(&1));
        assert_eq!(streams.lock().all, 2);
    }
}
