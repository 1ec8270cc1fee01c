//! Where a block item is, and which sequence number comes next.

use std::sync::Arc;

use concordium_rust_sdk::v2::generated::{
    self, AccountAddress, BlockItemStatus, BlockItemSummaryInBlock, Empty,
    NextAccountSequenceNumber, SequenceNumber, TransactionHash,
    block_item_status::{self, Committed, Finalized},
};
use tonic::{Response, Status};

use super::locate;
use crate::{blocks::Block, chain, convert, node::Node};

pub(super) fn status(
    node: &Node,
    hash: TransactionHash,
) -> Result<Response<BlockItemStatus>, Status> {
    let hash = <[u8; 32]>::try_from(hash.value)
        .map_err(|_| Status::invalid_argument("Invalid transaction hash."))?;
    let status = node.chain().status(&hash.into());
    let status = match status.ok_or_else(|| Status::not_found("transaction not found."))? {
        chain::Status::Received => block_item_status::Status::Received(Empty {}),
        chain::Status::Committed(block, index) => {
            let outcomes = outcome(&block, index).into_iter().collect();
            block_item_status::Status::Committed(Committed { outcomes })
        }
        chain::Status::Finalized(block, index) => {
            block_item_status::Status::Finalized(Finalized { outcome: outcome(&block, index) })
        }
    };
    Ok(Response::new(BlockItemStatus { status: Some(status) }))
}

fn outcome(block: &Arc<Block>, index: usize) -> Option<BlockItemSummaryInBlock> {
    let summary: Option<generated::BlockItemSummary> = block.summaries.get(index).cloned();
    let block_hash = Some(convert::block_hash(&block.hash));
    Some(BlockItemSummaryInBlock { block_hash, outcome: summary })
}

pub(super) fn next_sequence(
    node: &Node,
    address: AccountAddress,
) -> Result<Response<NextAccountSequenceNumber>, Status> {
    let address = locate::address(address)?;
    let chain = node.chain();
    // A node answers for accounts that it does not know as for new ones.
    let (value, all_final) = match chain.find_account(&address) {
        Some(account) => (chain.next_sequence(account), chain.all_final(account)),
        None => (1, true),
    };
    let sequence_number = Some(SequenceNumber { value });
    Ok(Response::new(NextAccountSequenceNumber { sequence_number, all_final }))
}
