//! What has become of one transaction, for a hash that nobody has seen in a block yet.

use ccd402_app::ports::chain::TransactionStatus;
use ccd402_domain::ids::TransactionHash;
use concordium_rust_sdk::types::TransactionStatus as SdkStatus;

use crate::{
    block, codec,
    error::{Error, Failure},
    nodes::Nodes,
};

/// Asks for the status of a transaction, and for its block if it is final.
pub(crate) async fn of(nodes: &Nodes, hash: &TransactionHash) -> Result<TransactionStatus, Error> {
    let asked = codec::sdk_transaction_hash(hash);
    let answer = nodes.ask("GetBlockItemStatus", |mut client| async move {
        client.get_block_item_status(&asked).await
    });
    let outcomes = match answer.await {
        Ok(SdkStatus::Received) => return Ok(TransactionStatus::Received),
        Ok(SdkStatus::Committed(_)) => return Ok(TransactionStatus::Committed),
        Ok(SdkStatus::Finalized(outcomes)) => outcomes,
        Err(Failure::NotFound) => return Ok(TransactionStatus::Unknown),
        Err(failure) => return Err(failure.into_error("a transaction's status")),
    };
    let mut outcomes = outcomes.into_iter();
    let (Some((block, summary)), None) = (outcomes.next(), outcomes.next()) else {
        let text = format!("transaction {hash} is final in more than one block or in none");
        return Err(Error::NotUnderstood(text));
    };
    if summary.hash != asked {
        let text = format!("{} came in place of transaction {hash}", summary.hash);
        return Err(Error::NotUnderstood(text));
    }
    let head = nodes.ask("GetBlockInfo", |client| block::head(client, block)).await;
    let head = head.map_err(|failure| failure.into_error("a transaction's block"))?;
    let transaction = codec::transaction(&summary, codec::block_ref(&head))?;
    Ok(TransactionStatus::Finalized(Box::new(transaction)))
}
