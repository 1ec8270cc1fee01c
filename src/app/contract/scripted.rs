//! A chain and a clock that do what a test says, and count what they were asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use ccd402_domain::verification::event::Proven;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::contract::payments::{at, block_ref};
use crate::contract::sample::network;
use crate::ports::chain::{
    AssetInfo, Chain, ChainError, FinalizedBlock, PresentationCheck, SignatureCheck,
    TransactionStatus,
};
use crate::ports::clock::Clock;

/// What one call of `blocks_from` yields. After the last item the stream ends, if it is told to.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// In this order.
    pub items: Vec<Result<FinalizedBlock, ChainError>>,
    /// Whether the stream ends after them; else it waits for ever.
    pub ends: bool,
}

/// A chain that does what a test says.
pub struct ScriptedChain {
    network: NetworkId,
    script: Mutex<Script>,
}

struct Script {
    height: u64,
    is_unavailable: bool,
    is_stalled: bool,
    statuses: HashMap<TransactionHash, TransactionStatus>,
    presentation: Result<Proven, Rejection>,
    signature: Result<(), Rejection>,
    streams: VecDeque<Blocks>,
    begun_at: Vec<u64>,
    asked: usize,
    presentations: Vec<PresentationCheck>,
    signatures: Vec<SignatureCheck>,
}

impl Default for ScriptedChain {
    fn default() -> Self {
        let presentation = Digest::from_bytes([0; 32]);
        let script = Script {
            height: 1,
            is_unavailable: false,
            is_stalled: false,
            statuses: HashMap::new(),
            presentation: Ok(Proven { presentation, issuer: 0, revealed: None }),
            signature: Ok(()),
            streams: VecDeque::new(),
            begun_at: Vec::new(),
            asked: 0,
            presentations: Vec::new(),
            signatures: Vec::new(),
        };
        Self { network: network(), script: Mutex::new(script) }
    }
}

impl ScriptedChain {
    /// From now on its last finalized block is the one at this height.
    pub fn set_height(&self, height: u64) {
        self.script().height = height;
    }

    /// From now on no node answers, or one does again.
    pub fn set_unavailable(&self, is_unavailable: bool) {
        self.script().is_unavailable = is_unavailable;
    }

    /// From now on questions about transactions are never answered, or are again.
    pub fn set_stalled(&self, is_stalled: bool) {
        self.script().is_stalled = is_stalled;
    }

    /// What it says of a transaction; unknown where nothing was said.
    pub fn set_status(&self, hash: TransactionHash, status: TransactionStatus) {
        self.script().statuses.insert(hash, status);
    }

    /// It says that this is final.
    pub fn set_final(&self, transaction: FinalizedTransaction) {
        self.set_status(transaction.hash, TransactionStatus::Finalized(Box::new(transaction)));
    }

    /// From now on presentations are refused.
    pub fn refuse_presentations(&self, rejection: Rejection) {
        self.script().presentation = Err(rejection);
    }

    /// From now on signatures are refused.
    pub fn refuse_signatures(&self, rejection: Rejection) {
        self.script().signature = Err(rejection);
    }

    /// What the next call of `blocks_from` that has none yet yields.
    pub fn push_blocks(&self, blocks: Blocks) {
        self.script().streams.push_back(blocks);
    }

    /// The heights that `blocks_from` was called with.
    #[must_use]
    pub fn begun_at(&self) -> Vec<u64> {
        self.script().begun_at.clone()
    }

    /// How often it was asked for a transaction.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.script().asked
    }

    /// The presentations that it checked.
    #[must_use]
    pub fn presentations(&self) -> Vec<PresentationCheck> {
        self.script().presentations.clone()
    }

    /// The signatures that it checked.
    #[must_use]
    pub fn signatures(&self) -> Vec<SignatureCheck> {
        self.script().signatures.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answering(&self) -> Result<MutexGuard<'_, Script>, ChainError> {
        let script = self.script();
        if script.is_unavailable {
            return Err(ChainError::Unavailable("the test says so".to_owned()));
        }
        Ok(script)
    }
}

#[async_trait]
impl Chain for ScriptedChain {
    fn network(&self) -> &NetworkId {
        &self.network
    }

    async fn tip(&self) -> Result<BlockRef, ChainError> {
        self.answering().map(|script| block_ref(script.height))
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        self.script().asked += 1;
        if self.script().is_stalled {
            std::future::pending::<()>().await;
        }
        let script = self.answering()?;
        Ok(script.statuses.get(&hash).cloned().unwrap_or(TransactionStatus::Unknown))
    }

    async fn token(&self, id: &str) -> Result<Option<AssetInfo>, ChainError> {
        let is_known = id.eq_ignore_ascii_case("EURR");
        let asset = Asset::Token("EURR".to_owned());
        Ok(is_known.then_some(AssetInfo { asset, decimals: 6 }))
    }

    async fn check_presentation(
        &self,
        check: PresentationCheck,
    ) -> Result<Result<Proven, Rejection>, ChainError> {
        self.script().presentations.push(check);
        // As long as anything else can run, it does.
        tokio::task::yield_now().await;
        self.answering().map(|script| script.presentation.clone())
    }

    async fn check_signature(
        &self,
        check: SignatureCheck,
    ) -> Result<Result<(), Rejection>, ChainError> {
        self.script().signatures.push(check);
        tokio::task::yield_now().await;
        self.answering().map(|script| script.signature.clone())
    }

    async fn blocks_from(
        &self,
        height: u64,
    ) -> Result<BoxStream<'static, Result<FinalizedBlock, ChainError>>, ChainError> {
        let mut script = self.answering()?;
        script.begun_at.push(height);
        let Some(blocks) = script.streams.pop_front() else { return Ok(stream::pending().boxed()) };
        let items = stream::iter(blocks.items);
        if blocks.ends {
            return Ok(items.boxed());
        }
        Ok(items.chain(stream::pending()).boxed())
    }
}

/// A clock that a test moves.
#[derive(Debug, Clone)]
pub struct DrivenClock(Arc<Mutex<DateTime<Utc>>>);

impl Default for DrivenClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(at(1))))
    }
}

impl DrivenClock {
    /// Moves on.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for DrivenClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
