//! The transaction that has used a sequence number of an account, found without its hash: nobody
//! knows that of a sponsored transaction before its sponsor has signed.
//!
//! Nodes do not answer this. They say of any block which number comes next, so that the block is
//! found in a few questions, and the account's transactions in it stand in the order of their
//! numbers.

use ccd402_domain::{account::AccountAddress, transaction::FinalizedTransaction};
use concordium_rust_sdk::{types::AbsoluteBlockHeight, v2::BlockIdentifier};

use crate::{account, block, error::Error, nodes::Nodes};

/// Of an account's first transaction.
const NUMBER_FIRST: u64 = 1;

/// The account after a block: the number that comes next.
#[derive(Clone, Copy)]
struct After {
    height: u64,
    next: u64,
}

/// Finds the final transaction of an account that has this number; none while it is free.
///
/// # Errors
/// If the nodes cannot be asked, or what several say does not agree: one may be behind.
pub(crate) async fn find(
    nodes: &Nodes,
    address: &AccountAddress,
    number: u64,
) -> Result<Option<FinalizedTransaction>, Error> {
    let tip = block::last_final(nodes).await?.height;
    // A node that does not know the block must not be heard to say that the number is free.
    let Some(next) = next_at(nodes, address, tip).await? else {
        return Err(Error::Unavailable(format!("the account after block {tip}")));
    };
    if next <= number {
        return Ok(None);
    }
    let (low, high) = bounds(nodes, address, number, After { height: tip, next }).await?;
    let is_own = |one: &FinalizedTransaction| one.sender.is_some_and(|by| by.is_alias_of(address));
    let transactions = block::transactions(nodes, high.height).await?;
    let own: Vec<_> = transactions.into_iter().filter(is_own).collect();
    let is_whole = high.next.checked_sub(low.next) == Some(own.len() as u64);
    let place = number.checked_sub(low.next).and_then(|place| usize::try_from(place).ok());
    match place.and_then(|place| own.into_iter().nth(place)) {
        Some(found) if is_whole => Ok(Some(found)),
        _ => Err(Error::Unavailable(format!(
            "transaction {number} of the account is not in block {}, where it must be",
            high.height
        ))),
    }
}

/// The account after the block with the number, and after the block before it.
async fn bounds(
    nodes: &Nodes,
    address: &AccountAddress,
    number: u64,
    tip: After,
) -> Result<(After, After), Error> {
    let after = async |height| {
        // Before it was there it had sent nothing.
        let next = next_at(nodes, address, height).await?.unwrap_or(NUMBER_FIRST);
        Ok::<_, Error>(After { height, next })
    };
    // It is free after `low` and used after `high`. Most look for what came a moment ago.
    let (mut high, mut step) = (tip, 1);
    let mut low = loop {
        let below = after(high.height.saturating_sub(step)).await?;
        if below.next <= number || below.height == 0 {
            break below;
        }
        high = below;
        step *= 2;
    };
    while low.height + 1 < high.height {
        let middle = after(low.height + (high.height - low.height) / 2).await?;
        if middle.next <= number {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok((low, high))
}

/// The number that comes next after a block; none where there is no such account, or block.
async fn next_at(
    nodes: &Nodes,
    address: &AccountAddress,
    height: u64,
) -> Result<Option<u64>, Error> {
    let block = BlockIdentifier::AbsoluteHeight(AbsoluteBlockHeight::from(height));
    let account = account::ask_at(nodes, address, block).await?;
    Ok(account.map(|account| account.state.next_sequence_number))
}
