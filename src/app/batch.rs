//! `POST /v1/verifications` with many payments at once: one durable commit, an answer for each.
//!
//! What one item is has no bearing on the others: a bad one is refused alone. All that are new are
//! one append, so a fault of ours takes none of them in. Cutting a body into items is the API's.

use std::collections::HashSet;

use ccd402_domain::ids::{Digest, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::{IdempotencyKey, body_digest};
use crate::ports::log::{Append, AppendError, StreamId};

/// Most payments of one batch.
pub const BATCH_ITEMS_MAX: usize = 1_000;

/// Largest payment of a batch.
pub const ITEM_BYTES_MAX: usize = 64 * 1024;

/// Items that are decoded before others get their turn on the thread.
const DECODED_AT_ONCE: usize = 16;
/// How often a batch is appended anew because somebody else took one of its items in first.
const APPENDS_MAX: usize = 8;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// It is in the log, durable.
    Accepted(VerificationId),
    /// It was there already, under the same key.
    Repeated(VerificationId),
    /// It is not taken in.
    Refused(Rejection),
}

/// An item on its way into the log.
enum Step {
    Done(Item),
    New(VerificationId, Box<Append>),
}

impl Facilitator {
    /// Takes a tenant's batch in; the answers are in the order of the items.
    ///
    /// Under a key an item is known by its bytes: a repeat of the batch, in part, in another order
    /// or mixed with new items, is recognised item by item, and so is one item twice in a batch.
    ///
    /// # Errors
    /// A fault of ours, or no room: then nothing of the batch was taken in.
    pub async fn submit_batch(
        &self,
        tenant: &TenantId,
        items: &[&[u8]],
        key: Option<&IdempotencyKey>,
    ) -> Result<Vec<Item>, Error> {
        if items.len() > BATCH_ITEMS_MAX {
            return Err(Error::Malformed(format!("a batch has at most {BATCH_ITEMS_MAX} items")));
        }
        let mut steps = self.prepare(tenant, items, key).await?;
        for _ in 0..APPENDS_MAX {
            match self.append_new(tenant, &steps).await {
                Ok(()) => return Ok(steps.into_iter().map(Step::ended).collect()),
                // Somebody hands the same in under the same key, at this moment.
                Err(Error::Append(AppendError::VersionConflict { .. })) => {
                    self.settle_known(&mut steps).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended)
    }

    /// Before any rule, as for single ones: what is known is a repeat, also when time is up.
    async fn prepare(
        &self,
        tenant: &TenantId,
        items: &[&[u8]],
        key: Option<&IdempotencyKey>,
    ) -> Result<Vec<Step>, Error> {
        let named: Vec<_> = items
            .iter()
            .map(|item| {
                let digest = body_digest(item);
                let id = key.map_or_else(Uuid::now_v7, |key| key.item_id(tenant, digest));
                (VerificationId(id), digest)
            })
            .collect();
        let ids: Vec<_> = named.iter().map(|(id, _)| *id).collect();
        let mut known =
            if key.is_some() { self.known(&ids).await? } else { HashSet::with_capacity(ids.len()) };
        let mut steps = Vec::with_capacity(items.len());
        for (at, (&(id, digest), item)) in named.iter().zip(items).enumerate() {
            if at % DECODED_AT_ONCE == DECODED_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            if known.contains(&id) {
                steps.push(Step::Done(Item::Repeated(id)));
                continue;
            }
            let step = self.decode(tenant, (id, digest), item)?;
            if matches!(step, Step::New(..)) {
                known.insert(id);
            }
            steps.push(step);
        }
        Ok(steps)
    }

    fn decode(
        &self,
        tenant: &TenantId,
        (id, digest): (VerificationId, Digest),
        item: &[u8],
    ) -> Result<Step, Error> {
        let refused = |rejection| Ok(Step::Done(Item::Refused(rejection)));
        if item.len() > ITEM_BYTES_MAX {
            let detail = format!("the item is larger than {ITEM_BYTES_MAX} bytes");
            return refused(Rejection::new(ReasonCode::RequestTooLarge, detail));
        }
        match self.read(tenant, item, digest) {
            Ok(Ok(handed)) => Ok(Step::New(id, Box::new(self.requesting(id, handed)))),
            Ok(Err(rejection)) => refused(rejection),
            Err(Error::Malformed(detail)) => {
                refused(Rejection::new(ReasonCode::MalformedRequest, detail))
            }
            Err(error) => Err(error),
        }
    }

    async fn append_new(&self, tenant: &TenantId, steps: &[Step]) -> Result<(), Error> {
        let appends: Vec<_> = steps.iter().filter_map(Step::append).cloned().collect();
        if appends.is_empty() {
            return Ok(());
        }
        self.must_keep_up()?;
        self.must_have_room(tenant, appends.len() as u64)?;
        self.append(appends).await?;
        Ok(())
    }

    async fn settle_known(&self, steps: &mut [Step]) -> Result<(), Error> {
        let new = |step: &Step| match step {
            Step::New(id, _) => Some(*id),
            Step::Done(_) => None,
        };
        let ids: Vec<_> = steps.iter().filter_map(new).collect();
        let known = self.known(&ids).await?;
        for step in steps {
            if let Some(id) = new(step).filter(|id| known.contains(id)) {
                *step = Step::Done(Item::Repeated(id));
            }
        }
        Ok(())
    }

    /// Those of the ids that are verifications already.
    async fn known(&self, ids: &[VerificationId]) -> Result<HashSet<VerificationId>, Error> {
        let streams: Vec<_> = ids.iter().map(|id| StreamId::verification(*id)).collect();
        let versions = self.log.versions(&streams).await?;
        Ok(ids.iter().zip(versions).filter(|(_, n)| *n > 0).map(|(id, _)| *id).collect())
    }
}

impl Step {
    fn append(&self) -> Option<&Append> {
        match self {
            Self::New(_, append) => Some(append),
            Self::Done(_) => None,
        }
    }

    fn ended(self) -> Item {
        match self {
            Self::New(id, _) => Item::Accepted(id),
            Self::Done(item) => item,
        }
    }
}
