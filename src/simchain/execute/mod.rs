//! Executes one block item on the ledger, the way a node does: what the fee payer cannot deposit
//! for is not included at all; what is included is paid for, whether it succeeds or is rejected.
//! Signatures are not checked here; nothing reaches a block that was not admitted.

mod credential;
mod data;
mod keys;
mod meter;
mod token;
mod token_reject;
mod transaction;
mod transfer;

use concordium_rust_sdk::{base::transactions::BlockItem, v2::generated};

use crate::{item::Item, state::Ledger};

/// The block that is being made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) height: u64,
    pub(crate) slot_time_ms: u64,
    /// Energy that the block has left.
    pub(crate) energy_left: u64,
}

/// What becomes of an item when a block is made.
pub(crate) enum Verdict {
    /// It is in the block.
    Included(Box<Included>),
    /// Not in this block, perhaps in a later one.
    Later,
    /// It can never be in a block again.
    Never,
}

/// An item in a block, with what it did and used.
pub(crate) struct Included {
    pub(crate) details: generated::block_item_summary::Details,
    pub(crate) energy: u64,
    /// MicroCCD paid for it.
    pub(crate) fee: u64,
}

/// Executes `item`, unless it does not belong in the block.
pub(crate) fn execute(ledger: &mut Ledger, at: &Context, item: &Item) -> Verdict {
    if item.expiry_s() < at.slot_time_ms / 1000 {
        return Verdict::Never;
    }
    match &item.body {
        BlockItem::CredentialDeployment(message) => credential::deploy(ledger, at, message),
        BlockItem::UpdateInstruction(_) => Verdict::Never,
        BlockItem::AccountTransaction(_) | BlockItem::AccountTransactionV1(_) => {
            let transaction = item.transaction().expect("account transactions have this view");
            transaction::execute(ledger, at, &transaction)
        }
    }
}
