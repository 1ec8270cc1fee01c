//! Submission of block items, in any of the forms that SDKs send.

use concordium_rust_sdk::{
    base::transactions::BlockItem,
    v2::generated::{
        SendBlockItemRequest, TransactionHash, block_item::BlockItem as Shown,
        send_block_item_request::BlockItem as Sent,
    },
};
use tonic::{Response, Status};

use crate::{item::Item, node::Node};

/// Longest block item, as a node accepts it.
const ITEM_BYTES_MAX: u32 = 512 * 1024;

pub(super) fn send(
    node: &Node,
    request: SendBlockItemRequest,
) -> Result<Response<TransactionHash>, Status> {
    let sent = request.block_item;
    let item = decode(sent.ok_or_else(|| Status::invalid_argument("missing field in request"))?);
    let item = item.ok_or_else(|| Status::invalid_argument("Deserialization error"))?;
    if item.size > ITEM_BYTES_MAX {
        return Err(Status::invalid_argument("Deserialization error"));
    }
    let hash = node.submit(item)?;
    Ok(Response::new(TransactionHash { value: hash.as_ref().to_vec() }))
}

fn decode(sent: Sent) -> Option<Item> {
    let shown = match sent {
        Sent::AccountTransaction(tx) => Shown::AccountTransaction(tx),
        Sent::CredentialDeployment(message) => Shown::CredentialDeployment(message),
        Sent::UpdateInstruction(update) => Shown::UpdateInstruction(update),
        Sent::AccountTransactionV1(tx) => Shown::AccountTransactionV1(tx),
        Sent::RawBlockItem(bytes) => return Item::decode(&bytes),
    };
    BlockItem::try_from(shown).ok().map(Item::new)
}
