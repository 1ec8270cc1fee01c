//! The chain itself: final blocks, committed blocks on top of them, and the pool. Its operations
//! are to make a block, to finalize blocks and to take blocks back; when they happen is decided
//! outside.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use concordium_rust_sdk::{
    base::contracts_common::AccountAddress,
    types::hashes::{BlockHash, TransactionHash},
};

use crate::{
    Error,
    blocks::Block,
    energy::BLOCK_ENERGY_MAX,
    execute::{self, Context, Verdict},
    genesis::{BAKER, Genesis},
    item::Item,
    persist::{BlockLog, Record},
    pool::Pool,
    state::{AccountIx, Ledger},
};

/// Where a block item is.
pub(crate) enum Status {
    /// Waiting for a block.
    Received,
    /// In a block that is not final, at this index.
    Committed(Arc<Block>, usize),
    /// In a final block, at this index.
    Finalized(Arc<Block>, usize),
}

/// All blocks, the state after each, and what waits.
pub(crate) struct Chain {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) ledger: Ledger,
    pub(crate) pool: Pool,
    /// By height; all of one line, because a block is only replaced after it was taken back.
    blocks: Vec<Arc<Block>>,
    by_hash: HashMap<BlockHash, u64>,
    height_finalized: u64,
    round: u64,
    /// Blocks that will be taken back when they ought to become final.
    doomed: BTreeSet<u64>,
    locations: HashMap<TransactionHash, (u64, usize)>,
    log: Option<BlockLog>,
}

impl Chain {
    pub(crate) fn new(genesis: Arc<Genesis>) -> Self {
        let block = Arc::new(Block::genesis(&genesis));
        Self {
            ledger: genesis.ledger(),
            pool: Pool::default(),
            by_hash: HashMap::from([(block.hash, 0)]),
            blocks: vec![block],
            height_finalized: 0,
            round: 0,
            doomed: BTreeSet::new(),
            locations: HashMap::new(),
            log: None,
            genesis,
        }
    }

    /// Replays what was kept, and keeps what happens from now on.
    pub(crate) fn resume(&mut self, log: BlockLog, records: Vec<Record>) -> Result<(), Error> {
        for record in records {
            self.replay(record).map_err(|reason| log.damaged(reason))?;
        }
        self.log = Some(log);
        Ok(())
    }

    /// Keeps nothing any more, so that another process may.
    pub(crate) fn close(&mut self) {
        self.log = None;
    }

    fn replay(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Block { round, slot_time_ms, hash, items } => {
                self.round = round;
                let (block, left) = self.assemble(slot_time_ms, items);
                if !left.is_empty() || block.hash != hash {
                    return Err(format!("block {} does not replay", block.height));
                }
                self.append(Arc::new(block));
            }
            Record::Finalized { height } => {
                let committed = self.height_finalized + 1..=self.tip().height;
                if !committed.contains(&height) {
                    return Err(format!("height {height} cannot become final"));
                }
                self.set_finalized(height);
            }
            Record::Abandoned { height } => {
                if height <= self.height_finalized {
                    return Err(format!("height {height} is final and cannot be taken back"));
                }
                self.remove_from(height);
                // What was taken back waited in memory only.
                self.pool.take();
            }
        }
        Ok(())
    }

    pub(crate) fn tip(&self) -> &Arc<Block> {
        self.blocks.last().expect("there is always the genesis block")
    }

    pub(crate) fn last_finalized(&self) -> &Arc<Block> {
        self.block(self.height_finalized).expect("final blocks stay")
    }

    pub(crate) fn block(&self, height: u64) -> Option<&Arc<Block>> {
        self.blocks.get(usize::try_from(height).ok()?)
    }

    pub(crate) fn find_block(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        self.block(*self.by_hash.get(hash)?)
    }

    /// The oldest block that is not final.
    pub(crate) fn oldest_committed(&self) -> Option<&Arc<Block>> {
        self.block(self.height_finalized + 1)
    }

    pub(crate) fn is_doomed(&self, height: u64) -> bool {
        self.doomed.contains(&height)
    }

    /// Marks the newest block to be taken back instead of becoming final.
    pub(crate) fn doom_tip(&mut self) {
        self.doomed.insert(self.tip().height);
    }

    pub(crate) fn status(&self, hash: &TransactionHash) -> Option<Status> {
        if let Some((height, index)) = self.locations.get(hash) {
            let block = Arc::clone(self.block(*height)?);
            let finalized = *height <= self.height_finalized;
            let status = if finalized { Status::Finalized } else { Status::Committed };
            return Some(status(block, *index));
        }
        self.pool.contains(hash).then_some(Status::Received)
    }

    /// The sequence number the account's next transaction must have, counting what waits.
    pub(crate) fn next_sequence(&self, account: AccountIx) -> u64 {
        let latest = self.ledger.latest(account).sequence;
        self.pool.next_sequence(account).unwrap_or(latest)
    }

    /// Whether all transactions of the account are final.
    pub(crate) fn all_final(&self, account: AccountIx) -> bool {
        let finalized = self.ledger.account(account).state.at(self.height_finalized);
        finalized.map(|state| state.sequence) == Some(self.next_sequence(account))
    }

    pub(crate) fn find_account(&self, address: &AccountAddress) -> Option<AccountIx> {
        self.ledger.find(address)
    }

    /// Makes a block of what waits.
    pub(crate) fn bake(&mut self, now_ms: u64) -> Result<Arc<Block>, Error> {
        self.round += 1;
        let waiting = self.pool.take();
        let (block, left) = self.assemble(now_ms, waiting);
        self.pool.restore(left, &self.ledger);
        if let Some(log) = &mut self.log {
            log.append_block(&block)?;
        }
        let block = Arc::new(block);
        self.append(Arc::clone(&block));
        Ok(block)
    }

    /// Makes all blocks up to `height` final, and gives them oldest first.
    pub(crate) fn finalize(&mut self, height: u64) -> Result<Vec<Arc<Block>>, Error> {
        if let Some(log) = &mut self.log {
            log.append_finalized(height)?;
        }
        let first = self.height_finalized + 1;
        self.set_finalized(height);
        Ok((first..=height).filter_map(|h| self.block(h).cloned()).collect())
    }

    /// Takes back the block of `height` and those after it; what they contained waits again.
    pub(crate) fn abandon(&mut self, height: u64) -> Result<(), Error> {
        assert!(height > self.height_finalized, "final blocks are never taken back");
        if let Some(log) = &mut self.log {
            log.append_abandoned(height)?;
        }
        let mut items: Vec<_> =
            self.remove_from(height).iter().flat_map(|block| block.items.clone()).collect();
        items.extend(self.pool.take());
        self.pool.restore(items, &self.ledger);
        Ok(())
    }

    fn assemble(&mut self, made_ms: u64, items: Vec<Arc<Item>>) -> (Block, Vec<Arc<Item>>) {
        let mut block = Block::after(self.tip(), self.round, made_ms);
        let slot_time_ms = block.slot_time_ms;
        let mut left = Vec::new();
        for item in items {
            let energy_left = BLOCK_ENERGY_MAX - block.energy;
            let at = Context { height: block.height, slot_time_ms, energy_left };
            match execute::execute(&mut self.ledger, &at, &item) {
                Verdict::Included(included) => block.push(item, *included),
                Verdict::Later => left.push(item),
                Verdict::Never => {}
            }
        }
        if block.fees > 0 {
            self.ledger.edit(BAKER, block.height).balance += block.fees;
        }
        (block.seal(), left)
    }

    fn append(&mut self, block: Arc<Block>) {
        self.by_hash.insert(block.hash, block.height);
        for (index, item) in block.items.iter().enumerate() {
            self.locations.insert(item.hash, (block.height, index));
        }
        self.blocks.push(block);
    }

    fn set_finalized(&mut self, height: u64) {
        self.height_finalized = height;
        self.ledger.settle(height);
    }

    fn remove_from(&mut self, height: u64) -> Vec<Arc<Block>> {
        let keep = usize::try_from(height).unwrap_or(usize::MAX).min(self.blocks.len());
        let removed = self.blocks.split_off(keep);
        for block in &removed {
            self.by_hash.remove(&block.hash);
            self.doomed.remove(&block.height);
            for item in &block.items {
                self.locations.remove(&item.hash);
            }
        }
        self.ledger.revert(height - 1);
        removed
    }
}
