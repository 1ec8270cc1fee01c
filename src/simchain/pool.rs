//! Items that were received and are in no block yet, in order of arrival, and the sequence number
//! that each account's next transaction is expected to have.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use concordium_rust_sdk::types::hashes::TransactionHash;

use crate::{
    item::Item,
    state::{AccountIx, Ledger},
};

/// Items that may wait; more are refused.
pub(crate) const ITEMS_MAX: usize = 50_000;

/// Items waiting for a block.
#[derive(Default)]
pub(crate) struct Pool {
    items: Vec<Arc<Item>>,
    hashes: HashSet<TransactionHash>,
    /// Next sequence number of accounts that have something waiting.
    next: HashMap<AccountIx, u64>,
}

impl Pool {
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= ITEMS_MAX
    }

    pub(crate) fn contains(&self, hash: &TransactionHash) -> bool {
        self.hashes.contains(hash)
    }

    /// The next sequence number counting what waits, if anything of the account does.
    pub(crate) fn next_sequence(&self, account: AccountIx) -> Option<u64> {
        self.next.get(&account).copied()
    }

    /// Adds an item; `sender` is the account and sequence number of an account transaction.
    pub(crate) fn push(&mut self, item: Arc<Item>, sender: Option<(AccountIx, u64)>) {
        self.hashes.insert(item.hash);
        if let Some((account, sequence)) = sender {
            self.next.insert(account, sequence + 1);
        }
        self.items.push(item);
    }

    /// Takes everything out, in order of arrival.
    pub(crate) fn take(&mut self) -> Vec<Arc<Item>> {
        self.hashes.clear();
        self.next.clear();
        std::mem::take(&mut self.items)
    }

    /// Replaces the content, after a block was made or taken back.
    pub(crate) fn restore(&mut self, items: Vec<Arc<Item>>, ledger: &Ledger) {
        self.hashes = items.iter().map(|item| item.hash).collect();
        let mut waiting: HashMap<AccountIx, BTreeSet<u64>> = HashMap::new();
        for item in &items {
            let Some(tx) = item.transaction() else { continue };
            let Some(account) = ledger.find(&tx.sender) else { continue };
            waiting.entry(account).or_default().insert(tx.sequence);
        }
        // Behind a gap nothing can be included, so the gap is what comes next.
        self.next = waiting
            .into_iter()
            .map(|(account, sequences)| {
                let mut next = ledger.latest(account).sequence;
                while sequences.contains(&next) {
                    next += 1;
                }
                (account, next)
            })
            .collect();
        self.items = items;
    }
}
