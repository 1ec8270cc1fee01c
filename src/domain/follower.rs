//! What the follower leaves in the log: how far it has come. Following itself is the workers' task.

use ccd402_protocol::network::NetworkId;
use serde::{Deserialize, Serialize};

use crate::transaction::BlockRef;

/// A finalized block, and all before it, has been applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BlockFollowed {
    /// Of which network.
    pub network: NetworkId,
    /// The block.
    pub block: BlockRef,
}
