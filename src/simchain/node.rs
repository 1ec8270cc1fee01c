//! The running chain: when blocks are made, when they become final, and who hears of it. It knows
//! nothing of gRPC; the RPCs read from it and submit to it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use concordium_rust_sdk::{
    types::hashes::TransactionHash,
    v2::generated::{AbsoluteBlockHeight, ArrivedBlockInfo, FinalizedBlockInfo},
};
use tokio::sync::{Notify, watch};
use tracing::debug;

use crate::{
    Error, admit,
    announce::Announcer,
    blocks::Block,
    chain::Chain,
    clock::{Clock, duration_ms},
    convert,
    faults::Faults,
    genesis::Genesis,
    item::Item,
};

/// Blocks made at once to catch up with a driven clock that jumped; the rest of the jump has none.
const CATCH_UP_MAX: usize = 10_000;

/// A chain, its clock and its listeners.
pub(crate) struct Node {
    chain: Mutex<Chain>,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) arrived: Announcer<ArrivedBlockInfo>,
    pub(crate) finalized: Announcer<FinalizedBlockInfo>,
    /// Height of the last final block.
    pub(crate) height_finalized: watch::Sender<u64>,
    /// Wakes the baker when what it waits for may have changed.
    pub(crate) wake: Notify,
    /// Calls so far, but for those that whoever sends a transaction makes.
    pub(crate) asked: AtomicU64,
    block_time_ms: u64,
    finality_delay_ms: u64,
}

/// Time from block to block, and from a block to its finality.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) block_time: Duration,
    pub(crate) finality_delay: Duration,
}

impl Node {
    pub(crate) fn new(chain: Chain, clock: Clock, pace: Pace) -> Self {
        Self {
            genesis: Arc::clone(&chain.genesis),
            height_finalized: watch::Sender::new(chain.last_finalized().height),
            chain: Mutex::new(chain),
            faults: Faults::new(clock.clone()),
            clock,
            arrived: Announcer::default(),
            finalized: Announcer::default(),
            wake: Notify::new(),
            asked: AtomicU64::new(0),
            block_time_ms: duration_ms(pace.block_time),
            finality_delay_ms: duration_ms(pace.finality_delay),
        }
    }

    /// The chain, for as long as nobody waits for anything.
    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn block_time_ms(&self) -> u64 {
        self.block_time_ms
    }

    /// Receives an item, or says why not. Checks signatures, so it is not for an async thread when
    /// the item is a credential.
    pub(crate) fn submit(&self, item: Item) -> Result<TransactionHash, admit::Refusal> {
        let now_s = self.clock.now_ms() / 1000;
        let admissible = admit::check(&self.chain(), &item, now_s)?;
        admit::verify(&self.genesis, &item, &admissible.proof)?;
        // The chain went on meanwhile, so what depends on it is checked again.
        let mut chain = self.chain();
        let admissible = admit::check(&chain, &item, now_s)?;
        let hash = item.hash;
        chain.pool.push(Arc::new(item), admissible.sender);
        Ok(hash)
    }

    /// Does all that is due and says when something is due next, in milliseconds since 1970.
    pub(crate) fn tick(&self) -> Result<Option<u64>, Error> {
        let mut chain = self.chain();
        for _ in 0..CATCH_UP_MAX {
            let now_ms = self.clock.now_ms();
            let block_due = self.block_due(&chain);
            let final_due = self.final_due(&chain);
            let next = [block_due, final_due].into_iter().flatten().min();
            if next.is_none_or(|due| due > now_ms) {
                return Ok(next);
            }
            if final_due.is_some() && final_due == next {
                self.finalize_oldest(&mut chain)?;
            } else {
                // A driven clock that jumped gets every block in its slot; a machine that slept
                // does not make up for the night.
                let slot_ms = if matches!(self.clock, Clock::Driven(_)) { next } else { None };
                self.bake_at(&mut chain, slot_ms.unwrap_or(now_ms))?;
            }
        }
        self.bake_at(&mut chain, self.clock.now_ms())?;
        Ok(Some(self.clock.now_ms()))
    }

    /// Makes a block now; it is final at once when finality takes no time.
    pub(crate) fn bake(&self) -> Result<Arc<Block>, Error> {
        let mut chain = self.chain();
        let block = self.bake_at(&mut chain, self.clock.now_ms())?;
        while self.final_due(&chain).is_some_and(|due| due <= self.clock.now_ms()) {
            self.finalize_oldest(&mut chain)?;
        }
        self.wake.notify_one();
        Ok(block)
    }

    /// Makes everything committed final, however recent.
    pub(crate) fn finalize_all(&self) -> Result<(), Error> {
        let mut chain = self.chain();
        while chain.oldest_committed().is_some() && self.faults.finality_delayed().is_none() {
            self.finalize_oldest(&mut chain)?;
        }
        Ok(())
    }

    fn block_due(&self, chain: &Chain) -> Option<u64> {
        (self.block_time_ms > 0).then(|| chain.tip().made_ms + self.block_time_ms)
    }

    fn final_due(&self, chain: &Chain) -> Option<u64> {
        let due = chain.oldest_committed()?.made_ms + self.finality_delay_ms;
        match self.faults.finality_delayed() {
            None => Some(due),
            Some(until_ms) => until_ms.map(|until_ms| due.max(until_ms)),
        }
    }

    fn bake_at(&self, chain: &mut Chain, slot_ms: u64) -> Result<Arc<Block>, Error> {
        let block = chain.bake(slot_ms)?;
        if !block.items.is_empty() && self.faults.abandon_block() {
            chain.doom_tip();
        }
        debug!(block.height = block.height, block.items = block.items.len(), "made a block");
        self.arrived.announce(&ArrivedBlockInfo {
            hash: Some(convert::block_hash(&block.hash)),
            height: Some(AbsoluteBlockHeight { value: block.height }),
        });
        Ok(block)
    }

    fn finalize_oldest(&self, chain: &mut Chain) -> Result<(), Error> {
        let Some(height) = chain.oldest_committed().map(|block| block.height) else {
            return Ok(());
        };
        if chain.is_doomed(height) {
            debug!(block.height = height, "took a block back");
            return chain.abandon(height);
        }
        for block in chain.finalize(height)? {
            if !self.faults.skip_notification() {
                self.finalized.announce(&FinalizedBlockInfo {
                    hash: Some(convert::block_hash(&block.hash)),
                    height: Some(AbsoluteBlockHeight { value: block.height }),
                });
            }
        }
        self.height_finalized.send_replace(height);
        Ok(())
    }
}
