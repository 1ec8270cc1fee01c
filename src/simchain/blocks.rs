//! A block: its place in the chain, its items and what they did. Its hash covers its parent and its
//! content, so two chains that agree on a hash agree on all before it.

use std::sync::Arc;

use concordium_rust_sdk::{
    types::hashes::{BlockHash, TransactionHash},
    v2::generated::{self, BlockItemSummary},
};
use sha2::{Digest, Sha256};

use crate::{execute::Included, genesis::Genesis, item::Item};

/// A block that was made.
pub(crate) struct Block {
    pub(crate) hash: BlockHash,
    pub(crate) parent: BlockHash,
    pub(crate) height: u64,
    pub(crate) round: u64,
    pub(crate) slot_time_ms: u64,
    /// When it was made by the chain's clock, which may stand still while slot times may not.
    pub(crate) made_ms: u64,
    pub(crate) items: Vec<Arc<Item>>,
    /// What each item did, in the same order.
    pub(crate) summaries: Vec<BlockItemSummary>,
    pub(crate) energy: u64,
    /// MicroCCD that the baker earned.
    pub(crate) fees: u64,
    /// Bytes of all items.
    pub(crate) size: u32,
}

impl Block {
    /// The block that everything begins with.
    pub(crate) fn genesis(genesis: &Genesis) -> Self {
        Self {
            hash: genesis.hash,
            parent: genesis.hash,
            height: 0,
            round: 0,
            slot_time_ms: genesis.time_ms,
            made_ms: genesis.time_ms,
            items: Vec::new(),
            summaries: Vec::new(),
            energy: 0,
            fees: 0,
            size: 0,
        }
    }

    /// An empty block after `parent`, made at `made_ms`; its hash is set by `seal`.
    pub(crate) fn after(parent: &Self, round: u64, made_ms: u64) -> Self {
        Self {
            hash: parent.hash,
            parent: parent.hash,
            height: parent.height + 1,
            round,
            slot_time_ms: made_ms.max(parent.slot_time_ms + 1),
            made_ms,
            items: Vec::new(),
            summaries: Vec::new(),
            energy: 0,
            fees: 0,
            size: 0,
        }
    }

    /// Appends an executed item.
    pub(crate) fn push(&mut self, item: Arc<Item>, included: Included) {
        let index =
            generated::block_item_summary::TransactionIndex { value: self.items.len() as u64 };
        self.summaries.push(BlockItemSummary {
            index: Some(index),
            energy_cost: Some(generated::Energy { value: included.energy }),
            hash: Some(generated::TransactionHash { value: item.hash.as_ref().to_vec() }),
            details: Some(included.details),
        });
        self.energy += included.energy;
        self.fees += included.fee;
        self.size = self.size.saturating_add(item.size);
        self.items.push(item);
    }

    /// Computes the hash of the finished block.
    pub(crate) fn seal(mut self) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"ccd402/simchain/block/v1");
        hasher.update(self.parent.as_ref());
        for number in [self.height, self.round, self.slot_time_ms, self.items.len() as u64] {
            hasher.update(number.to_be_bytes());
        }
        for item in &self.items {
            hasher.update(TransactionHash::as_ref(&item.hash));
        }
        self.hash = <[u8; 32]>::from(hasher.finalize()).into();
        self
    }

    /// Stands for the hash of the state, which is not kept in hashed form.
    pub(crate) fn state_hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"ccd402/simchain/state/v1");
        hasher.update(self.hash.as_ref());
        hasher.finalize().into()
    }
}
