//! The state of consensus and of the node.

use concordium_rust_sdk::v2::generated::{
    ConsensusInfo, Duration, Empty, NodeInfo, PeerId, Timestamp, node_info,
};
use tonic::{Response, Status};

use crate::{convert, node::Node};

/// The node software that the RPCs are modelled on.
const PEER_VERSION: &str = "10.0.0";

pub(super) fn consensus_info(node: &Node, _: Empty) -> Result<Response<ConsensusInfo>, Status> {
    let info = convert::consensus_info(&node.chain(), node.block_time_ms());
    Ok(Response::new(info))
}

pub(super) fn node_info(node: &Node, _: Empty) -> Result<Response<NodeInfo>, Status> {
    let now_ms = node.clock.now_ms();
    let network = node_info::NetworkInfo {
        node_id: Some(PeerId { value: "0000000000000000".to_owned() }),
        peer_total_sent: 0,
        peer_total_received: 0,
        avg_bps_in: 0,
        avg_bps_out: 0,
    };
    let status = node_info::node::ConsensusStatus::Passive(Empty {});
    Ok(Response::new(NodeInfo {
        peer_version: PEER_VERSION.to_owned(),
        local_time: Some(Timestamp { value: now_ms }),
        peer_uptime: Some(Duration { value: now_ms.saturating_sub(node.genesis.time_ms) }),
        network_info: Some(network),
        details: Some(node_info::Details::Node(node_info::Node { consensus_status: Some(status) })),
    }))
}
