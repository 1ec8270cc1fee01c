//! Sends finished block items. Sending the same bytes again is no harm, so whoever does not know
//! what became of them does it.

use ccd402_app::ports::chain::TransactionStatus;
use ccd402_domain::ids::TransactionHash;
use concordium_rust_sdk::base::transactions::{BlockItem, EncodedPayload};

use crate::{
    codec,
    error::{Error, Failure},
    nodes::Nodes,
    status,
};

/// What a node made of a block item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The chain has it, now or since before.
    Taken(TransactionHash),
    /// The node will not take it, in its own words; it will never be on chain as it is.
    Refused(String),
}

/// Sends an item.
pub(crate) async fn send(
    nodes: &Nodes,
    item: &BlockItem<EncodedPayload>,
) -> Result<Submitted, Error> {
    let hash = codec::transaction_hash(&item.hash());
    let asked = nodes
        .ask("SendBlockItem", |mut client| async move { Ok(client.send_block_item(item).await?) });
    match asked.await {
        Ok(_) | Err(Failure::Duplicate) => Ok(Submitted::Taken(hash)),
        // A transaction that is final already is refused for its sequence number.
        Err(Failure::Refused(text)) => match status::of(nodes, &hash).await? {
            TransactionStatus::Unknown => Ok(Submitted::Refused(text)),
            _ => Ok(Submitted::Taken(hash)),
        },
        Err(failure) => Err(failure.into_error("sending a transaction")),
    }
}
