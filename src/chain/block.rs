//! One finalized block: what it holds, in one question for its head and one for its transactions.

use ccd402_app::ports::chain::FinalizedBlock;
use ccd402_domain::transaction::{BlockRef, FinalizedTransaction};
use concordium_rust_sdk::{
    base::hashes::BlockHash as SdkBlockHash,
    endpoints::{BlocksAtHeightInput, QueryError, QueryResult},
    types::{AbsoluteBlockHeight, BlockItemSummary, queries::BlockInfo},
    v2::Client,
};
use futures::TryStreamExt;

use crate::{
    codec,
    error::{Error, Failure},
    ledger::Touched,
    node::Node,
    nodes::Nodes,
};

/// A finalized block as it came.
pub(crate) struct Fetched {
    pub(crate) block: FinalizedBlock,
    pub(crate) info: BlockInfo,
    /// What it has changed.
    pub(crate) touched: Touched,
}

/// The last finalized block.
pub(crate) async fn last_final(nodes: &Nodes) -> Result<BlockRef, Error> {
    let info = nodes
        .ask("GetConsensusInfo", |mut client| async move { client.get_consensus_info().await });
    let info = info.await.map_err(|failure| failure.into_error("the state of consensus"))?;
    let hash = info.last_finalized_block;
    let head = nodes.ask("GetBlockInfo", |client| head(client, hash)).await;
    let head = head.map_err(|failure| failure.into_error("the last finalized block"))?;
    Ok(codec::block_ref(&head))
}

/// The transactions of the final block at a height, in their order; without those that are newer
/// than this program.
pub(crate) async fn transactions(
    nodes: &Nodes,
    height: u64,
) -> Result<Vec<FinalizedTransaction>, Error> {
    let asked = format!("block {height}");
    let lost = |failure: Failure| failure.into_error(&asked);
    let hash =
        nodes.ask("GetBlocksAtHeight", |client| hash_at(client, height)).await.map_err(lost)?;
    let info = nodes.ask("GetBlockInfo", |client| head(client, hash)).await.map_err(lost)?;
    let summaries = nodes
        .ask("GetBlockTransactionEvents", |client| events(client, hash))
        .await
        .map_err(lost)?;
    let block = codec::block_ref(&info);
    let read = summaries.iter().filter_map(|summary| codec::transaction(summary, block).ok());
    Ok(read.collect())
}

/// Fetches the block at a height; the hash saves a question where it is known.
///
/// # Errors
/// `NotUnderstood` when the block is not the one asked for or holds what is unknown; anything else
/// may be asked again, of another node.
pub(crate) async fn fetch(
    node: &Node,
    height: u64,
    hash: Option<SdkBlockHash>,
) -> Result<Fetched, Error> {
    let asked = format!("block {height}");
    let lost = |failure: Failure| match failure {
        // A reply that this node cannot be made to give may be had from another.
        Failure::Refused(text) => Error::Unavailable(format!("{asked}: {text}")),
        other => other.into_error(&asked),
    };
    let hash = match hash {
        Some(hash) => hash,
        None => node.ask(|client| hash_at(client, height)).await.map_err(lost)?,
    };
    let info = node.ask(|client| head(client, hash)).await.map_err(lost)?;
    let is_it = info.finalized && info.block_height.height == height && info.block_hash == hash;
    if !is_it {
        let text = format!("{asked} is another block or not final: {hash}");
        return Err(Error::NotUnderstood(text));
    }
    let summaries = match info.transaction_count {
        0 => Vec::new(),
        _ => node.ask(|client| events(client, hash)).await.map_err(lost)?,
    };
    if summaries.len() as u64 != info.transaction_count {
        let (got, said) = (summaries.len(), info.transaction_count);
        return Err(Error::Unavailable(format!("{asked}: {got} of {said} transactions came")));
    }
    let block = codec::block_ref(&info);
    let transactions = summaries.iter().map(|summary| codec::transaction(summary, block));
    let finalized = FinalizedBlock {
        block,
        parent: codec::block_hash(&info.block_parent),
        transactions: transactions.collect::<Result<_, _>>()?,
    };
    Ok(Fetched { block: finalized, touched: Touched::by(&summaries), info })
}

/// The head of a block.
pub(crate) async fn head(mut client: Client, hash: SdkBlockHash) -> QueryResult<BlockInfo> {
    Ok(client.get_block_info(hash).await?.response)
}

async fn hash_at(mut client: Client, height: u64) -> QueryResult<SdkBlockHash> {
    let height = BlocksAtHeightInput::Absolute { height: AbsoluteBlockHeight::from(height) };
    let hashes = client.get_blocks_at_height(&height).await?;
    // More than one hash means that the height is not final on this node yet.
    match hashes[..] {
        [hash] => Ok(hash),
        _ => Err(QueryError::NotFound),
    }
}

async fn events(mut client: Client, hash: SdkBlockHash) -> QueryResult<Vec<BlockItemSummary>> {
    let events = client.get_block_transaction_events(hash).await?.response;
    Ok(events.try_collect().await?)
}
