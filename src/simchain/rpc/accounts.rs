//! Accounts, in the state after any block.

use concordium_rust_sdk::v2::generated::{
    AccountAddress, AccountInfo, AccountInfoRequest, BlockHashInput,
};
use tonic::{Response, Status};

use super::{
    call::Items,
    locate::{self, about},
};
use crate::{convert, node::Node};

pub(super) fn info(
    node: &Node,
    request: AccountInfoRequest,
) -> Result<Response<AccountInfo>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, request.block_hash)?;
    let ix = locate::account(&chain, request.account_identifier)?;
    let state = chain.ledger.account(ix).state.at(block.height);
    let state = state.ok_or_else(|| Status::not_found("account or block not found."))?;
    let generator = &node.genesis.global.on_chain_commitment_key.g;
    Ok(about(&block, convert::account_info(&chain.ledger, ix, state, generator)))
}

pub(super) fn list(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<AccountAddress>>, Status> {
    let chain = node.chain();
    let block = locate::block(&chain, Some(input))?;
    let accounts = chain.ledger.accounts().iter();
    let there = accounts.filter(|account| account.state.at(block.height).is_some());
    let addresses: Vec<AccountAddress> = there.map(|account| account.address.into()).collect();
    Ok(about(&block, Box::pin(futures::stream::iter(addresses))))
}
