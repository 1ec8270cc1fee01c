//! A chain that holds what a test puts there.
//!
//! It checks no proofs and streams no blocks: payments here are bound by memo, and tests hand
//! blocks to the facilitator themselves.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use ccd402_app::ports::chain::{
    AssetInfo, Chain, ChainError, FinalizedBlock, PresentationCheck, SignatureCheck,
    TransactionStatus,
};
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{BlockHash, TransactionHash};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use ccd402_domain::verification::event::Proven;
use ccd402_protocol::network::NetworkId;
use futures::stream::BoxStream;
use tokio::sync::watch;

use super::{beginning, soon};

/// What the chain does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers,
    Panics,
    Overwhelmed,
    Incomprehensible,
}

pub(crate) struct ScriptedChain {
    pub(crate) network: NetworkId,
    pub(crate) mood: Mutex<Mood>,
    transactions: Mutex<HashMap<TransactionHash, FinalizedTransaction>>,
    asked: watch::Sender<usize>,
}

impl Default for ScriptedChain {
    fn default() -> Self {
        Self {
            network: NetworkId::of_genesis(&[0x5c; 32]),
            mood: Mutex::new(Mood::Answers),
            transactions: Mutex::default(),
            asked: watch::Sender::new(0),
        }
    }
}

impl ScriptedChain {
    pub(crate) fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Puts a transaction into a finalized block of its own.
    pub(crate) fn finalize(&self, transaction: FinalizedTransaction) -> FinalizedBlock {
        let mut transactions = self.transactions.lock().unwrap();
        transactions.insert(transaction.hash, transaction.clone());
        FinalizedBlock {
            block: transaction.block,
            parent: BlockHash::from_bytes([0; 32]),
            transactions: vec![transaction],
        }
    }

    /// Waits until the chain was asked for transactions this often.
    pub(crate) async fn asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        soon(asked.wait_for(|asked| *asked >= times)).await.unwrap();
    }
}

#[async_trait]
impl Chain for ScriptedChain {
    fn network(&self) -> &NetworkId {
        &self.network
    }

    async fn tip(&self) -> Result<BlockRef, ChainError> {
        let hash = BlockHash::from_bytes([0; 32]);
        Ok(BlockRef { height: 0, hash, time: beginning() })
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        self.asked.send_modify(|asked| *asked += 1);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => {}
            Mood::Panics => panic!("the test says so"),
            Mood::Overwhelmed => return Err(ChainError::Busy),
            Mood::Incomprehensible => {
                return Err(ChainError::NotUnderstood("secret internals".to_owned()));
            }
        }
        let found = self.transactions.lock().unwrap().get(&hash).cloned();
        Ok(found.map_or(TransactionStatus::Unknown, |found| {
            TransactionStatus::Finalized(Box::new(found))
        }))
    }

    async fn token(&self, id: &str) -> Result<Option<AssetInfo>, ChainError> {
        let is_known = id.eq_ignore_ascii_case("EURR");
        let asset = Asset::Token("EURR".to_owned());
        Ok(is_known.then_some(AssetInfo { asset, decimals: 6 }))
    }

    async fn check_presentation(
        &self,
        _: PresentationCheck,
    ) -> Result<Result<Proven, Rejection>, ChainError> {
        Err(ChainError::NotUnderstood("presentations".to_owned()))
    }

    async fn check_signature(
        &self,
        _: SignatureCheck,
    ) -> Result<Result<(), Rejection>, ChainError> {
        Err(ChainError::NotUnderstood("signatures".to_owned()))
    }

    async fn blocks_from(
        &self,
        _: u64,
    ) -> Result<BoxStream<'static, Result<FinalizedBlock, ChainError>>, ChainError> {
        Err(ChainError::NotUnderstood("streams".to_owned()))
    }
}
