//! The transactions of the last finalized blocks, so that a payment handed in after it finalized
//! needs no node call.
//!
//! It knows from when on it has seen everything: a transaction newer than that and not here is not
//! final yet, as far as the follower has come, and will be met by the follower.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ccd402_domain::ids::TransactionHash;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use chrono::{DateTime, TimeDelta, Utc};

use crate::ports::chain::FinalizedBlock;

/// How long a transaction is remembered.
const AGE_MAX: TimeDelta = TimeDelta::hours(1);
/// How many are remembered; the oldest blocks go first.
const TRANSACTIONS_MAX: usize = 200_000;

/// The last finalized transactions.
#[derive(Debug, Default)]
pub(crate) struct RecentTransactions {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    blocks: VecDeque<(BlockRef, Vec<TransactionHash>)>,
    transactions: HashMap<TransactionHash, FinalizedTransaction>,
    /// Everything after this time has been seen.
    covered_from: Option<DateTime<Utc>>,
}

impl RecentTransactions {
    /// Remembers a block, and forgets what is too old or too much.
    pub(crate) fn insert(&self, block: &FinalizedBlock) {
        let mut inner = self.lock();
        let height = block.block.height;
        match inner.blocks.back() {
            Some((last, _)) if last.height >= height => return,
            // The follower began anew further on: what lies between was never seen.
            Some((last, _)) if last.height + 1 != height => *inner = Inner::default(),
            _ => {}
        }
        inner.covered_from.get_or_insert(block.block.time);
        let hashes = block.transactions.iter().map(|transaction| transaction.hash).collect();
        inner.blocks.push_back((block.block, hashes));
        for transaction in &block.transactions {
            inner.transactions.insert(transaction.hash, transaction.clone());
        }
        inner.forget(block.block.time - AGE_MAX);
    }

    /// Somebody else has followed up to this block: what was seen before it and not since is not
    /// known to have been met by anybody here.
    pub(crate) fn must_have_seen(&self, followed: BlockRef) {
        let mut inner = self.lock();
        if inner.blocks.back().is_some_and(|(last, _)| last.height < followed.height) {
            *inner = Inner::default();
        }
    }

    /// A transaction, if it is among them.
    #[must_use]
    pub(crate) fn get(&self, hash: TransactionHash) -> Option<FinalizedTransaction> {
        self.lock().transactions.get(&hash).cloned()
    }

    /// Whether every transaction finalized in a block after `time` has been or will be seen.
    #[must_use]
    pub(crate) fn covers(&self, time: DateTime<Utc>) -> bool {
        self.lock().covered_from.is_some_and(|from| from <= time)
    }

    /// The last block.
    #[must_use]
    pub(crate) fn last(&self) -> Option<BlockRef> {
        self.lock().blocks.back().map(|(block, _)| *block)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change below leaves the maps whole, so a panic elsewhere does not spoil them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, before: DateTime<Utc>) {
        while let Some((oldest, _)) = self.blocks.front() {
            let is_only = self.blocks.len() == 1;
            let is_too_much = self.transactions.len() > TRANSACTIONS_MAX;
            if is_only || (oldest.time >= before && !is_too_much) {
                return;
            }
            let Some((gone, hashes)) = self.blocks.pop_front() else { return };
            for hash in hashes {
                self.transactions.remove(&hash);
            }
            self.covered_from = Some(gone.time + TimeDelta::milliseconds(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use ccd402_domain::ids::BlockHash;
    use ccd402_domain::transaction::Outcome;

    use super::*;

    fn block(height: u64, seconds: i64, hashes: &[u8]) -> FinalizedBlock {
        let time = DateTime::from_timestamp(seconds, 0).unwrap();
        let block = BlockRef { height, hash: BlockHash::from_bytes([height as u8; 32]), time };
        let transaction = |byte: &u8| FinalizedTransaction {
            hash: TransactionHash::from_bytes([*byte; 32]),
            block,
            sender: None,
            outcome: Outcome::NotATransfer,
            sponsorship: None,
        };
        let transactions = hashes.iter().map(transaction).collect();
        FinalizedBlock { block, parent: BlockHash::from_bytes([0; 32]), transactions }
    }

    #[test]
    fn what_is_forgotten_is_not_covered_any_more() {
        let recent = RecentTransactions::default();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!recent.covers(at(5_000)));
        recent.insert(&block(1, 1_000, &[1]));
        assert!(recent.covers(at(1_000)) && !recent.covers(at(999)));
        recent.insert(&block(2, 1_000 + 3_601, &[2]));
        assert!(recent.get(TransactionHash::from_bytes([1; 32])).is_none());
        assert!(recent.get(TransactionHash::from_bytes([2; 32])).is_some());
        assert!(!recent.covers(at(1_000)));
    }

    #[test]
    fn what_another_followed_and_was_not_seen_here_is_not_covered() {
        let recent = RecentTransactions::default();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        recent.insert(&block(1, 1_000, &[1]));
        recent.must_have_seen(block(1, 1_000, &[]).block);
        assert!(recent.covers(at(1_005)));
        recent.must_have_seen(block(2, 1_010, &[]).block);
        assert!(!recent.covers(at(1_005)) && recent.last().is_none());
    }

    #[test]
    fn blocks_that_were_not_seen_are_not_covered() {
        let recent = RecentTransactions::default();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        recent.insert(&block(1, 1_000, &[1]));
        recent.insert(&block(5, 1_010, &[2]));
        assert!(!recent.covers(at(1_000)));
        assert!(recent.covers(at(1_010)));
    }
}
