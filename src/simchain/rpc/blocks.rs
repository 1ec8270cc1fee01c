//! Blocks: what they are, what they contain and what they did.

use concordium_rust_sdk::v2::generated::{
    AncestorsRequest, BlockHash, BlockHashInput, BlockInfo, BlockItem, BlockItemSummary,
    BlockSpecialEvent, BlocksAtHeightRequest, BlocksAtHeightResponse,
    block_special_event::{Event, PaydayAccountReward},
    blocks_at_height_request::BlocksAtHeight,
};
use tonic::{Response, Status};

use super::{
    call::Items,
    locate::{self, about},
};
use crate::{blocks::Block, convert, node::Node};

/// Ancestors that one request gets at most.
const ANCESTORS_MAX: u64 = 10_000;

pub(super) fn info(node: &Node, input: BlockHashInput) -> Result<Response<BlockInfo>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, Some(input))?;
    Ok(about(&block, convert::block_info(&chain, &block)))
}

pub(super) fn at_height(
    node: &Node,
    request: BlocksAtHeightRequest,
) -> Result<Response<BlocksAtHeightResponse>, Status> {
    let given = request.blocks_at_height;
    let height = match given.ok_or_else(|| Status::invalid_argument("missing field in request"))? {
        BlocksAtHeight::Absolute(absolute) => absolute.height.map(|height| height.value),
        BlocksAtHeight::Relative(relative) => {
            let first_era = relative.genesis_index.is_none_or(|index| index.value == 0);
            relative.height.map(|height| height.value).filter(|_| first_era)
        }
    };
    let chain = node.chain();
    let block = height.and_then(|height| chain.block(height));
    let blocks = block.map(|block| convert::block_hash(&block.hash)).into_iter().collect();
    Ok(Response::new(BlocksAtHeightResponse { blocks }))
}

pub(super) fn ancestors(
    node: &Node,
    request: AncestorsRequest,
) -> Result<Response<Items<BlockHash>>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, request.block_hash)?;
    let amount = request.amount.min(ANCESTORS_MAX).min(block.height + 1);
    let heights = (0..amount).map(|back| block.height - back);
    let hashes: Vec<_> =
        heights.filter_map(|h| chain.block(h)).map(|b| convert::block_hash(&b.hash)).collect();
    Ok(about(&block, Box::pin(futures::stream::iter(hashes))))
}

pub(super) fn items(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<BlockItem>>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    let items: Vec<_> = block.items.iter().map(|item| convert::block_item(item)).collect();
    Ok(about(&block, Box::pin(futures::stream::iter(items))))
}

pub(super) fn events(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<BlockItemSummary>>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    let summaries = block.summaries.clone();
    Ok(about(&block, Box::pin(futures::stream::iter(summaries))))
}

pub(super) fn special_events(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<BlockSpecialEvent>>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    let events: Vec<_> = fees(node, &block).into_iter().collect();
    Ok(about(&block, Box::pin(futures::stream::iter(events))))
}

/// What the baker earned with the block, at once rather than at the end of a reward period.
fn fees(node: &Node, block: &Block) -> Option<BlockSpecialEvent> {
    let amount = |value| Some(concordium_rust_sdk::v2::generated::Amount { value });
    let reward = PaydayAccountReward {
        account: Some(node.genesis.baker.address.into()),
        transaction_fees: amount(block.fees),
        baker_reward: amount(0),
        finalization_reward: amount(0),
    };
    let event = Some(Event::PaydayAccountReward(reward));
    (block.fees > 0).then_some(BlockSpecialEvent { event })
}
