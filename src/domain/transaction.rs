//! What a finalized transaction did, in our words. Reading it off the chain is `chain`'s business.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::ids::{BlockHash, TransactionHash};

/// A finalized block, by which a transaction is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockRef {
    /// Absolute height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its slot time.
    pub time: DateTime<Utc>,
}

/// A transaction in a finalized block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalizedTransaction {
    /// Its hash.
    pub hash: TransactionHash,
    /// Where it stands.
    pub block: BlockRef,
    /// Who sent it; absent for block items that no account sent.
    pub sender: Option<AccountAddress>,
    /// What it did.
    pub outcome: Outcome,
    /// Who paid the fee in the sender's stead; absent where the sender did, as it mostly does.
    pub sponsorship: Option<Box<Sponsorship>>,
}

/// A fee that another account than the sender paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sponsorship {
    /// Who paid it.
    pub sponsor: AccountAddress,
    /// MicroCCD.
    pub fee: Amount,
}

/// What a finalized transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It moved one amount to one account.
    Transfer(Transfer),
    /// It was included and rejected: nothing moved but the fee.
    Rejected {
        /// The chain's reason.
        reason: String,
    },
    /// It did something else, or more than one transfer.
    NotATransfer,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Receiver.
    pub to: AccountAddress,
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// The memo's bytes as they stand on chain.
    pub memo: Option<Vec<u8>>,
}
