//! Compares the log with the chain, slowly and in both directions: what the log calls confirmed must
//! be the payment in that very block, and nothing may still wait for what is final for long.
//!
//! It costs a node a call a block, never one a verification. What it finds is told; only what the
//! follower has missed is also mended, by the same decision as the follower's.

use std::collections::BTreeMap;
use std::time::Duration;

use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::rules;
use ccd402_domain::transaction::FinalizedTransaction;
use ccd402_domain::verification::event::VerificationConfirmed;
use chrono::TimeDelta;
use futures::StreamExt as _;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::chain::{ChainError, FinalizedBlock};
use crate::ports::log::{Position, StreamId};

/// Events that are looked at in one pass.
const EVENTS_MAX: usize = 4_096;
/// Blocks that are looked at in one pass.
const BLOCKS_MAX: u64 = 512;
/// Pause between two blocks, so that nodes hardly notice.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a node may take for a block.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long something may wait for what is final: it may just have been handed in.
const GRACE: TimeDelta = TimeDelta::minutes(10);

/// How far the log and the chain were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Confirmations up to this event.
    pub position: Position,
    /// Blocks up to this height; 0 where none was.
    pub height: u64,
}

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// How far it is compared now.
    pub compared: Compared,
    /// Whether there is more to compare.
    pub is_more: bool,
    /// What does not agree.
    pub differences: Vec<Difference>,
}

/// Something in which log and chain do not agree. Somebody must look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The log's block of a confirmation is not the chain's block of that height.
    OtherBlock(VerificationId),
    /// The transaction of a confirmation is not in its block.
    NotInBlock(VerificationId),
    /// It is there, and does not pay what the verification asks for.
    NotThePayment(VerificationId),
    /// The claim on it is another's.
    ClaimNotHeld(VerificationId),
    /// A verification waits for it though it is final. It is decided now.
    Missed(VerificationId),
}

impl Difference {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OtherBlock(_) => "other_block",
            Self::NotInBlock(_) => "not_in_block",
            Self::NotThePayment(_) => "not_the_payment",
            Self::ClaimNotHeld(_) => "claim_not_held",
            Self::Missed(_) => "missed",
        }
    }

    /// Of which verification.
    #[must_use]
    pub fn verification(&self) -> VerificationId {
        match self {
            Self::OtherBlock(id)
            | Self::NotInBlock(id)
            | Self::NotThePayment(id)
            | Self::ClaimNotHeld(id)
            | Self::Missed(id) => *id,
        }
    }
}

impl Facilitator {
    /// Compares the next events and blocks.
    ///
    /// # Errors
    /// Where the log or the chain fails: the same is compared again.
    pub async fn reconcile(&self, compared: Compared) -> Result<Reconciled, Error> {
        let mut differences = Vec::new();
        let (position, is_more_log) = self.compare_log(compared.position, &mut differences).await?;
        let (height, is_more_chain) = self.compare_chain(compared.height, &mut differences).await?;
        let compared = Compared { position, height };
        Ok(Reconciled { compared, is_more: is_more_log || is_more_chain, differences })
    }

    /// Is what the log says so on chain?
    async fn compare_log(
        &self,
        after: Position,
        differences: &mut Vec<Difference>,
    ) -> Result<(Position, bool), Error> {
        let events = self.log.read_all(after, EVENTS_MAX).await?;
        let Some(last) = events.last().map(|last| last.position) else {
            return Ok((after, false));
        };
        let mut blocks: BTreeMap<u64, Vec<&VerificationConfirmed>> = BTreeMap::new();
        for recorded in &events {
            if let Event::VerificationConfirmed(confirmed) = &recorded.event
                && confirmed.network == *self.chain.network()
            {
                blocks.entry(confirmed.block.height).or_default().push(confirmed);
            }
        }
        for (height, confirmed) in blocks {
            let block = self.block(height).await?;
            for confirmed in confirmed {
                differences.extend(self.compare(confirmed, &block).await?);
            }
        }
        Ok((last, events.len() == EVENTS_MAX))
    }

    async fn compare(
        &self,
        confirmed: &VerificationConfirmed,
        block: &FinalizedBlock,
    ) -> Result<Option<Difference>, Error> {
        let id = confirmed.verification;
        if confirmed.block != block.block {
            return Ok(Some(Difference::OtherBlock(id)));
        }
        let found = block.transactions.iter().find(|found| found.hash == confirmed.transaction);
        let Some(transaction) = found else { return Ok(Some(Difference::NotInBlock(id))) };
        let state = self.load(id).await?;
        let pays = |transaction: &FinalizedTransaction| {
            state.is_some_and(|state| rules::check(&state.payment, transaction).is_ok())
        };
        if !pays(transaction) {
            return Ok(Some(Difference::NotThePayment(id)));
        }
        let owner = self.log.claim_owner(&confirmed.network, confirmed.transaction).await?;
        Ok((owner != Some(id)).then_some(Difference::ClaimNotHeld(id)))
    }

    /// Does anything wait for what the chain has?
    async fn compare_chain(
        &self,
        after: u64,
        differences: &mut Vec<Difference>,
    ) -> Result<(u64, bool), Error> {
        let Some(tip) = self.recent.last() else { return Ok((after, false)) };
        let from = match after {
            0 => self.first_followed().await?,
            after => Some(after + 1),
        };
        let Some(from) = from else { return Ok((after, false)) };
        let to = tip.height.min(from + BLOCKS_MAX - 1);
        let mut reached = after;
        if from > to {
            return Ok((reached, false));
        }
        let mut blocks = self.chain.blocks_from(from).await?;
        while reached < to {
            let block = next(&mut blocks).await?;
            if block.block.time > tip.time - GRACE {
                return Ok((reached, false));
            }
            self.missed_in(&block, differences).await?;
            reached = block.block.height;
            tokio::time::sleep(PAUSE).await;
        }
        Ok((reached, to < tip.height))
    }

    async fn missed_in(
        &self,
        block: &FinalizedBlock,
        differences: &mut Vec<Difference>,
    ) -> Result<(), Error> {
        let found: BTreeMap<TransactionHash, &FinalizedTransaction> =
            block.transactions.iter().map(|found| (found.hash, found)).collect();
        let hashes: Vec<_> = found.keys().copied().collect();
        if hashes.is_empty() {
            return Ok(());
        }
        let waiting = self.log.waiting_for(self.chain.network(), &hashes).await?;
        for (hash, verifications) in waiting {
            for id in verifications {
                let Some(state) = self.load(id).await? else { continue };
                let is_new = state.requested_at > self.clock.now() - GRACE;
                // With its transfer known it waits for proofs, which is no difference.
                let knows_it = !state.is_open_to_transfers();
                let (false, false, Some(transaction)) = (is_new, knows_it, found.get(&hash)) else {
                    continue;
                };
                differences.push(Difference::Missed(id));
                self.record_transaction(state, (*transaction).clone()).await?;
            }
        }
        Ok(())
    }

    /// The height at which the log's account of the chain begins.
    async fn first_followed(&self) -> Result<Option<u64>, Error> {
        let stream = StreamId::follower(self.chain.network());
        let events = self.log.read_stream(&stream, 0).await?;
        Ok(events.into_iter().find_map(|recorded| match recorded.event {
            Event::BlockFollowed(followed) => Some(followed.block.height),
            _ => None,
        }))
    }

    async fn block(&self, height: u64) -> Result<FinalizedBlock, Error> {
        let mut blocks = self.chain.blocks_from(height).await?;
        let block = next(&mut blocks).await?;
        tokio::time::sleep(PAUSE).await;
        Ok(block)
    }
}

async fn next(
    blocks: &mut (impl futures::Stream<Item = Result<FinalizedBlock, ChainError>> + Unpin),
) -> Result<FinalizedBlock, Error> {
    let late = || ChainError::Unavailable("a node did not give a block in time".to_owned());
    let block = tokio::time::timeout(BLOCK_TIMEOUT, blocks.next()).await.map_err(|_| late())?;
    Ok(block.ok_or_else(late)??)
}
