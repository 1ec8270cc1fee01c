//! Applies one finalized block: who waits for its transactions, what follows for them, and how far
//! the follower has come, in one batch.

use std::collections::BTreeMap;

use ccd402_domain::event::Event;
use ccd402_domain::follower::BlockFollowed;
use ccd402_domain::ids::{TransactionHash, VerificationId, uuid_of};
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::decide::decide;
use ccd402_domain::verification::state::Verification;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::measure;
use crate::ports::chain::{ChainError, FinalizedBlock};
use crate::ports::lease::Fence;
use crate::ports::log::{APPEND_EVENTS_MAX, Append, AppendError, StreamId, claim_of};
use crate::trace::{self, Outcome};

/// Empty blocks after which the follower notes its height all the same. A crash then asks for these
/// blocks again and changes nothing by it.
const CHECKPOINT_BLOCKS: u64 = 64;
/// Most streams appended to at once; each gets at most two events.
const APPENDS_MAX: usize = APPEND_EVENTS_MAX / 2;
/// How often a block is decided anew because somebody else appended first.
const DECISIONS_MAX: usize = 64;

impl Facilitator {
    /// The last block that the log says was applied.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn followed(&self) -> Result<Option<BlockRef>, Error> {
        let stream = StreamId::follower(self.chain.network());
        let last = self.log.read_last(&stream).await?;
        Ok(last.and_then(|recorded| match recorded.event {
            Event::BlockFollowed(followed) => Some(followed.block),
            _ => None,
        }))
    }

    /// The same, for whoever begins to follow: others may have followed up to there.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn begin_to_follow(&self) -> Result<Option<BlockRef>, Error> {
        let followed = self.followed().await?;
        if let Some(block) = followed {
            self.recent.must_have_seen(block);
        }
        Ok(followed)
    }

    /// Looks at a block that another process applies: what is in it is known here, too.
    pub fn watch(&self, block: &FinalizedBlock) {
        self.recent.insert(block);
    }

    /// Applies a block; `previous` is the one before it, if it was applied.
    ///
    /// # Errors
    /// [`ChainError::NotUnderstood`] where the block does not follow the previous one; faults of the
    /// log otherwise. The block must be applied again then.
    pub async fn follow(
        &self,
        block: &FinalizedBlock,
        previous: Option<BlockRef>,
    ) -> Result<usize, Error> {
        self.follow_under(None, block, previous).await
    }

    /// The same, under a lease, if under one: once somebody else has taken it, nothing is appended.
    ///
    /// # Errors
    /// As [`Facilitator::follow`].
    pub async fn follow_under(
        &self,
        fence: Option<&Fence>,
        block: &FinalizedBlock,
        previous: Option<BlockRef>,
    ) -> Result<usize, Error> {
        must_follow(block, previous)?;
        // Remembered first: who asks from now on finds it here, who asked before waits in the index.
        self.recent.insert(block);
        for _ in 0..DECISIONS_MAX {
            let (decided, mut appends): (Vec<_>, Vec<_>) =
                self.decisions(block).await?.into_iter().unzip();
            let is_due = block.block.height.is_multiple_of(CHECKPOINT_BLOCKS);
            if decided.is_empty() && previous.is_some() && !is_due {
                return Ok(0);
            }
            appends.extend(self.checkpoint(block.block).await?);
            let height = block.block.height;
            let hops: Vec<_> =
                decided.iter().map(|found| trace::following(found.id, height)).collect();
            let appended = self.append_block(fence, appends).await;
            drop(hops);
            // Also after a conflict: a part may have been appended.
            decided.iter().for_each(|found| self.wakeups.wake(found.id));
            match appended {
                Ok(()) => {
                    let now = self.clock.now();
                    for found in &decided {
                        let Some(outcome) = found.outcome else { continue };
                        self.keep_promise(found.id);
                        measure::decided(found.requested_at, now);
                        trace::decided(found.id, found.requested_at, outcome);
                    }
                    return Ok(decided.len());
                }
                Err(AppendError::VersionConflict { .. } | AppendError::ClaimConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    /// One batch, the checkpoint last. Only a block that decides more than the log takes at once is
    /// split: what a crash cuts off then is decided when the block is applied again.
    async fn append_block(
        &self,
        fence: Option<&Fence>,
        mut appends: Vec<Append>,
    ) -> Result<(), AppendError> {
        while !appends.is_empty() {
            let rest = appends.split_off(appends.len().min(APPENDS_MAX));
            self.append_under(fence, appends).await?;
            appends = rest;
        }
        Ok(())
    }

    async fn decisions(&self, block: &FinalizedBlock) -> Result<Vec<(Decided, Append)>, Error> {
        let hashes: Vec<_> = block.transactions.iter().map(|found| found.hash).collect();
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let waiting = self.log.waiting_for(self.chain.network(), &hashes).await?;
        let found: BTreeMap<TransactionHash, &FinalizedTransaction> =
            block.transactions.iter().map(|found| (found.hash, found)).collect();
        let mut appends = Vec::new();
        for (hash, verifications) in waiting {
            let Some(transaction) = found.get(&hash) else { continue };
            let mut owner = self.log.claim_owner(self.chain.network(), hash).await?;
            for id in verifications {
                let events = self.decision(id, transaction, owner).await?;
                if let Some((state, events)) = events {
                    owner = owner.or(events.iter().find_map(claim_of).map(|(_, _, id)| id));
                    let found = Decided::of(&state, &events);
                    appends.push((found, self.decided(&state, events, block)));
                }
            }
        }
        Ok(appends)
    }

    async fn decision(
        &self,
        id: VerificationId,
        transaction: &FinalizedTransaction,
        owner: Option<VerificationId>,
    ) -> Result<Option<(Verification, Vec<Event>)>, Error> {
        let Some(state) = self.load(id).await? else { return Ok(None) };
        let record = Command::RecordTransaction(transaction.clone());
        let mut events = decide(Some(&state), record).unwrap_or_default();
        let claims = events.iter().any(|event| claim_of(event).is_some());
        if claims && owner.is_some_and(|owner| owner != id) {
            events = decide(Some(&state), Command::LoseClaim).unwrap_or_default();
        }
        Ok((!events.is_empty()).then_some((state, events)))
    }

    fn decided(&self, state: &Verification, events: Vec<Event>, block: &FinalizedBlock) -> Append {
        Append {
            stream: StreamId::verification(state.id),
            expected_version: state.version,
            events,
            time: self.clock.now(),
            cause: block_cause(block.block),
            attachment: None,
        }
    }

    /// None where the log says that the block was applied before.
    async fn checkpoint(&self, block: BlockRef) -> Result<Option<Append>, Error> {
        let network = self.chain.network().clone();
        let stream = StreamId::follower(&network);
        let last = self.log.read_last(&stream).await?;
        if let Some(Event::BlockFollowed(followed)) = last.as_ref().map(|last| &last.event)
            && followed.block.height >= block.height
        {
            return Ok(None);
        }
        Ok(Some(Append {
            stream,
            expected_version: last.map_or(0, |recorded| recorded.version),
            events: vec![BlockFollowed { network, block }.into()],
            time: self.clock.now(),
            cause: block_cause(block),
            attachment: None,
        }))
    }
}

/// A verification that a block has something to say about.
struct Decided {
    id: VerificationId,
    requested_at: DateTime<Utc>,
    /// Present where this ends it: proofs may still be open.
    outcome: Option<Outcome>,
}

impl Decided {
    fn of(state: &Verification, events: &[Event]) -> Self {
        let outcome = Outcome::of(events);
        Self { id: state.id, requested_at: state.requested_at, outcome }
    }
}

fn block_cause(block: BlockRef) -> Uuid {
    uuid_of(&[b"finalized", block.hash.as_bytes()])
}

fn must_follow(block: &FinalizedBlock, previous: Option<BlockRef>) -> Result<(), ChainError> {
    let Some(previous) = previous else { return Ok(()) };
    if block.block.height == previous.height + 1 && block.parent == previous.hash {
        return Ok(());
    }
    Err(ChainError::NotUnderstood(format!(
        "block {} with parent {} does not follow block {} ({})",
        block.block.height, block.parent, previous.height, previous.hash
    )))
}
