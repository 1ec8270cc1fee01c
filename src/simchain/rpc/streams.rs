//! Streams of new blocks. A client that reads too slowly misses some, as with a node.

use concordium_rust_sdk::v2::generated::{ArrivedBlockInfo, Empty, FinalizedBlockInfo};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::call::Items;
use crate::node::Node;

pub(super) fn arrived(node: &Node, _: Empty) -> Result<Response<Items<ArrivedBlockInfo>>, Status> {
    let receiver = node.arrived.subscribe().ok_or_else(too_many)?;
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}

pub(super) fn finalized(
    node: &Node,
    _: Empty,
) -> Result<Response<Items<FinalizedBlockInfo>>, Status> {
    let receiver = node.finalized.subscribe().ok_or_else(too_many)?;
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}

fn too_many() -> Status {
    Status::resource_exhausted("Too many streams.")
}
