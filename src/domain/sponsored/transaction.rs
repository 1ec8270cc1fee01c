//! What a signed transaction says that its sponsor has not signed yet, in our words.
//!
//! Reading it from the wire, and its digest, are the chain crate's business.

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::ids::Digest;
use crate::sponsored::energy::Energy;

/// A transaction of version 1 with a sponsor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Who pays the amount.
    pub sender: AccountAddress,
    /// Its sequence number.
    pub sequence_number: u64,
    /// Seconds since 1970 after which no block may include it.
    pub expires_at_s: u64,
    /// Who pays the fee.
    pub sponsor: AccountAddress,
    /// What it may cost.
    pub energy: Energy,
    /// How many signatures the sender has given; whether they hold is not known here.
    pub signatures: u64,
    /// CCD, or the token that the operations are about.
    pub asset: Asset,
    /// What it does, in order. CCD has exactly one, a transfer.
    pub operations: Vec<Operation>,
    /// What sender and sponsor sign.
    pub digest: Digest,
}

/// One thing that a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Moves the asset from the sender to somebody.
    Transfer(Transfer),
    /// Something else.
    Other,
}

/// One transfer, as it is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Receiver.
    pub to: AccountAddress,
    /// How much.
    pub amount: Amount,
    /// The decimals that the amount of a token is written with; the chain wants the token's own.
    pub decimals: Option<u8>,
    /// The memo's bytes.
    pub memo: Option<Vec<u8>>,
}

impl Transaction {
    /// The transfers among its operations.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.operations.iter().filter_map(|operation| match operation {
            Operation::Transfer(transfer) => Some(transfer),
            Operation::Other => None,
        })
    }
}
