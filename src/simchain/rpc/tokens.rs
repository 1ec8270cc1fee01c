//! Protocol-level tokens, in the state after any block.

use concordium_rust_sdk::v2::generated::{
    BlockHashInput, TokenInfo, TokenInfoRequest, plt::TokenId,
};
use tonic::{Response, Status};

use super::{
    call::Items,
    locate::{self, about},
};
use crate::{convert, node::Node};

pub(super) fn info(node: &Node, request: TokenInfoRequest) -> Result<Response<TokenInfo>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, request.block_hash)?;
    let id = request.token_id.unwrap_or_default().value;
    let not_found = || Status::not_found("token or block not found.");
    let ix = chain.ledger.find_token(&id).ok_or_else(not_found)?;
    let state = chain.ledger.token(ix).state.at(block.height).ok_or_else(not_found)?;
    Ok(about(&block, convert::token_info(&chain.ledger, ix, state)))
}

pub(super) fn list(node: &Node, input: BlockHashInput) -> Result<Response<Items<TokenId>>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, Some(input))?;
    let tokens = chain.ledger.tokens().iter();
    let ids: Vec<_> = tokens.map(|token| TokenId { value: token.id.as_ref().to_owned() }).collect();
    Ok(about(&block, Box::pin(futures::stream::iter(ids))))
}
