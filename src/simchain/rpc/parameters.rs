//! What never changes on a simulated chain: parameters, the identity provider, the guardians.

use concordium_rust_sdk::v2::generated::{
    ArInfo, BlockHashInput, ChainParameters, CryptographicParameters, IpInfo,
};
use tonic::{Response, Status};

use super::{
    call::Items,
    locate::{self, about},
};
use crate::{convert, node::Node};

pub(super) fn cryptographic(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<CryptographicParameters>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    Ok(about(&block, convert::cryptographic_parameters(&node.genesis.global)))
}

pub(super) fn chain(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<ChainParameters>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    Ok(about(&block, convert::chain_parameters(&node.genesis, node.block_time_ms())))
}

pub(super) fn identity_providers(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<IpInfo>>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    let provider = [convert::identity_provider(&node.genesis.provider)];
    Ok(about(&block, Box::pin(futures::stream::iter(provider))))
}

pub(super) fn anonymity_revokers(
    node: &Node,
    input: BlockHashInput,
) -> Result<Response<Items<ArInfo>>, Status> {
    let block = locate::block(&node.chain(), Some(input))?;
    let guardians: Vec<_> =
        node.genesis.guardians.values().map(convert::anonymity_revoker).collect();
    Ok(about(&block, Box::pin(futures::stream::iter(guardians))))
}
