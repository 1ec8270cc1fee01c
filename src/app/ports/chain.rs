//! The port of the chain: what a node knows, and the checks that need keys or cryptography.

use std::time::Duration;

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{BlockHash, Digest, TransactionHash};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use ccd402_domain::verification::event::Proven;
use ccd402_protocol::identity::IdentityRequirement;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::payload::AccountSignatures;
use futures::stream::BoxStream;

/// A Concordium network as its nodes tell it.
#[async_trait]
pub trait Chain: Send + Sync {
    /// Which network it is.
    fn network(&self) -> &NetworkId;

    /// How its nodes have been doing, in the order in which they are asked.
    fn nodes(&self) -> Vec<NodeStanding> {
        Vec::new()
    }

    /// The last finalized block.
    async fn tip(&self) -> Result<BlockRef, ChainError>;

    /// What has become of a transaction.
    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError>;

    /// A protocol-level token by its id in any case; none if there is none.
    async fn token(&self, id: &str) -> Result<Option<AssetInfo>, ChainError>;

    /// Checks a presentation: statement, challenge, credential, issuer, proof.
    ///
    /// The outer result is ours to retry; the inner one is final.
    async fn check_presentation(
        &self,
        check: PresentationCheck,
    ) -> Result<Result<Proven, Rejection>, ChainError>;

    /// Checks an account's signatures over a digest against its keys and threshold.
    async fn check_signature(
        &self,
        check: SignatureCheck,
    ) -> Result<Result<(), Rejection>, ChainError>;

    /// Finalized blocks from this height on, each once, in order, without a gap, without an end.
    ///
    /// Reconnecting and failing over is the adapter's business; an error ends the stream.
    async fn blocks_from(
        &self,
        height: u64,
    ) -> Result<BoxStream<'static, Result<FinalizedBlock, ChainError>>, ChainError>;
}

/// How a node has been doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStanding {
    /// Host and port.
    pub name: String,
    /// Whether the last question to it was answered.
    pub answers: bool,
    /// Whether it is on another network, and is never asked again.
    pub is_excluded: bool,
    /// Time since its last answer.
    pub answered_ago: Option<Duration>,
    /// Height of the last block that it is known to have finalized.
    pub height_finalized: Option<u64>,
}

/// What never changes of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetInfo {
    /// As the chain spells it.
    pub asset: Asset,
    /// Decimals of its amounts.
    pub decimals: u8,
}

/// What has become of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionStatus {
    /// No node that was asked has heard of it.
    Unknown,
    /// A node has it, no block does.
    Received,
    /// In a block that is not final.
    Committed,
    /// In a finalized block.
    Finalized(Box<FinalizedTransaction>),
}

/// A finalized block and what its transactions did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalizedBlock {
    /// Height, hash, time.
    pub block: BlockRef,
    /// Hash of the block before it.
    pub parent: BlockHash,
    /// In the order of the block.
    pub transactions: Vec<FinalizedTransaction>,
}

/// A presentation to check.
#[derive(Clone)]
pub struct PresentationCheck {
    /// Concordium's JSON as text.
    pub presentation: String,
    /// What it must state; `None` where any statement will do, because it only binds.
    pub required: Option<IdentityRequirement>,
    /// The binding digest that must be its challenge.
    pub challenge: Digest,
    /// Whose credential it must rest on.
    pub payer: AccountAddress,
}

/// Signatures to check.
#[derive(Debug, Clone)]
pub struct SignatureCheck {
    /// By credential and key.
    pub signatures: AccountSignatures,
    /// What was signed: the binding digest.
    pub digest: Digest,
    /// Whose keys must have signed.
    pub payer: AccountAddress,
}

/// The chain could not be asked, or said what cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No node answered in time. Try again later.
    #[error("no Concordium node can be reached: {0}")]
    Unavailable(String),
    /// Too many checks wait already. Try again later.
    #[error("too many checks wait for a processor")]
    Busy,
    /// A block or an effect that this software does not know. Someone must act; nothing is skipped.
    #[error("the chain says what this version does not understand: {0}")]
    NotUnderstood(String),
    /// The node is on another network than the one configured.
    #[error("the node is on {found}, the configuration says {configured}")]
    WrongNetwork {
        /// As configured.
        configured: NetworkId,
        /// As the node says.
        found: NetworkId,
    },
}
