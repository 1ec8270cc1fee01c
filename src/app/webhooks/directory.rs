//! The webhooks that there are, in memory: made of their streams at the start, kept by what happens.
//!
//! Bounded by tenants and the webhooks that each may have. Deleted ones are not in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use ccd402_domain::event::Event;
use ccd402_domain::ids::WebhookId;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::webhook::state::{Status, Webhook, evolve};

use crate::error::Error;
use crate::ports::log::{EventLog, Recorded, StreamId, WEBHOOK_PREFIX};

/// Streams that are named at once.
const PAGE: usize = 256;

/// Every webhook, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    webhooks: BTreeMap<WebhookId, Webhook>,
    tenants: HashMap<TenantId, BTreeSet<WebhookId>>,
}

impl Directory {
    /// Reads every webhook from its stream.
    pub(crate) async fn load(&self, log: &dyn EventLog) -> Result<(), Error> {
        let mut after: Option<StreamId> = None;
        loop {
            let names = log.streams(WEBHOOK_PREFIX, after.as_ref(), PAGE).await?;
            let Some(last) = names.last().cloned() else { return Ok(()) };
            for name in &names {
                if let Some(webhook) = read(log, name).await? {
                    self.put(webhook);
                }
            }
            after = Some(last);
        }
    }

    /// Takes in the state of a webhook, unless a newer one is known.
    pub(crate) fn put(&self, webhook: Webhook) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let is_old = kept.webhooks.get(&webhook.id).is_some_and(|k| k.version > webhook.version);
        if is_old {
            return;
        }
        if webhook.status == Status::Deleted {
            kept.webhooks.remove(&webhook.id);
            if let Some(ids) = kept.tenants.get_mut(&webhook.tenant) {
                ids.remove(&webhook.id);
            }
            return;
        }
        kept.tenants.entry(webhook.tenant.clone()).or_default().insert(webhook.id);
        kept.webhooks.insert(webhook.id, webhook);
    }

    /// What became of a webhook by an event of its stream. False where events before it are missing.
    pub(crate) fn apply(&self, recorded: &Recorded) -> bool {
        let known = match &recorded.event {
            Event::WebhookCreated(_) => None,
            _ => recorded.stream.as_webhook().and_then(|id| self.get(id)),
        };
        let version = known.as_ref().map_or(0, |webhook| webhook.version);
        if recorded.version <= version {
            return true;
        }
        match evolve(known, &recorded.event) {
            Ok(webhook) if recorded.version == version + 1 => {
                self.put(webhook);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn get(&self, id: WebhookId) -> Option<Webhook> {
        self.read().webhooks.get(&id).cloned()
    }

    /// The webhooks of a tenant, in the order of their ids.
    pub(crate) fn of(&self, tenant: &TenantId) -> Vec<Webhook> {
        let kept = self.read();
        let ids = kept.tenants.get(tenant).into_iter().flatten();
        ids.filter_map(|id| kept.webhooks.get(id).cloned()).collect()
    }

    /// How many a tenant has.
    pub(crate) fn count(&self, tenant: &TenantId) -> usize {
        self.read().tenants.get(tenant).map_or(0, BTreeSet::len)
    }

    /// Those of one tenant or of all after an id, in the order of their ids, at most `max`.
    pub(crate) fn page(&self, reach: &Reach, after: Option<WebhookId>, max: usize) -> Vec<Webhook> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let kept = self.read();
        match reach {
            Reach::All => {
                kept.webhooks.range(range).map(|(_, one)| one).take(max).cloned().collect()
            }
            Reach::Tenant(tenant) => {
                let ids = kept.tenants.get(tenant).into_iter().flat_map(|ids| ids.range(range));
                ids.filter_map(|id| kept.webhooks.get(id)).take(max).cloned().collect()
            }
        }
    }

    /// Every webhook.
    pub(crate) fn all(&self) -> Vec<Webhook> {
        self.read().webhooks.values().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read().webhooks.is_empty()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A webhook as its stream tells.
pub(crate) async fn read(log: &dyn EventLog, stream: &StreamId) -> Result<Option<Webhook>, Error> {
    let mut state = None;
    loop {
        let after = state.as_ref().map_or(0, |state: &Webhook| state.version);
        let page = log.read_stream(stream, after).await?;
        if page.is_empty() {
            return Ok(state);
        }
        for recorded in &page {
            state = Some(evolve(state, &recorded.event)?);
        }
    }
}
