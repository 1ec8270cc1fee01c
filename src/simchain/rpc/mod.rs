//! The node's gRPC service, `concordium.v2.Queries`, over the SDK's own messages. One group of RPCs
//! a file; what is not listed here answers `UNIMPLEMENTED`, as a node does with an endpoint that is
//! switched off.

mod accounts;
mod blocks;
mod call;
mod consensus;
mod locate;
mod parameters;
mod streams;
mod submit;
mod tokens;
mod transactions;

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use tonic::{
    body::BoxBody,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
};

use crate::node::Node;

pub(crate) use call::Call;

/// The service; clones serve the same chain.
#[derive(Clone)]
pub(crate) struct Queries(pub(crate) Arc<Node>);

impl NamedService for Queries {
    const NAME: &'static str = "concordium.v2.Queries";
}

impl Service<http::Request<BoxBody>> for Queries {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Self::Future {
        let node = Arc::clone(&self.0);
        Box::pin(async move { Ok(route(node, request).await) })
    }
}

async fn route(node: Arc<Node>, request: http::Request<BoxBody>) -> http::Response<BoxBody> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    if !matches!(method.as_str(), "SendBlockItem" | "GetNextAccountSequenceNumber") {
        node.asked.fetch_add(1, Ordering::Relaxed);
    }
    let call = Call { node, method, request };
    match call.method.as_str() {
        "GetConsensusInfo" => call.unary(consensus::consensus_info).await,
        "GetNodeInfo" => call.unary(consensus::node_info).await,
        "GetBlocks" => call.stream(streams::arrived).await,
        "GetFinalizedBlocks" => call.stream(streams::finalized).await,
        "GetBlocksAtHeight" => call.unary(blocks::at_height).await,
        "GetBlockInfo" => call.unary(blocks::info).await,
        "GetAncestors" => call.stream(blocks::ancestors).await,
        "GetBlockItems" => call.stream(blocks::items).await,
        "GetBlockTransactionEvents" => call.stream(blocks::events).await,
        "GetBlockSpecialEvents" => call.stream(blocks::special_events).await,
        "GetBlockItemStatus" => call.unary(transactions::status).await,
        "GetNextAccountSequenceNumber" => call.unary(transactions::next_sequence).await,
        "SendBlockItem" => call.unary_blocking(submit::send).await,
        "GetAccountInfo" => call.unary(accounts::info).await,
        "GetAccountList" => call.stream(accounts::list).await,
        "GetTokenInfo" => call.unary(tokens::info).await,
        "GetTokenList" => call.stream(tokens::list).await,
        "GetCryptographicParameters" => call.unary(parameters::cryptographic).await,
        "GetIdentityProviders" => call.stream(parameters::identity_providers).await,
        "GetAnonymityRevokers" => call.stream(parameters::anonymity_revokers).await,
        "GetBlockChainParameters" => call.unary(parameters::chain).await,
        _ => call.unimplemented(),
    }
}
