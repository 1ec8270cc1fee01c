//! What a sponsored transaction costs in energy, and how much of it a sponsor allows.
//!
//! Too little energy fails on chain at the sponsor's cost, and every byte and signature costs it
//! something, so all of them have bounds.

use ccd402_protocol::code::ReasonCode;

use crate::asset::Asset;
use crate::rejection::Rejection;
use crate::sponsored::transaction::{Operation, Transaction};

/// Energy of checking one signature.
const SIGNATURE: u64 = 100;
/// Bytes of a version 1 header that names a sponsor; each byte costs one.
const HEADER_BYTES: u64 = 94;
/// Energy of executing a transfer of CCD, with a memo or without.
pub const CCD_TRANSFER: u64 = 300;
/// Energy of executing a token update, besides its operations.
pub const TOKEN_UPDATE: u64 = 300;
/// Energy of executing one transfer of a token.
pub const TOKEN_TRANSFER: u64 = 100;

/// What the energy of a sponsored transaction is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Energy {
    /// Execution alone, as the header on the wire says it.
    pub execution: u64,
    /// Signatures of the sender that it is enough for.
    pub sender_signatures: u64,
    /// Signatures of the sponsor that it is enough for.
    pub sponsor_signatures: u64,
    /// Bytes of the encoded payload.
    pub payload_bytes: u64,
}

/// How much a sponsor allows one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Energy of execution. Default 2000; a transfer costs 300 to 400, and no more is charged.
    pub execution_max: u64,
    /// Signatures of either side. Default 8.
    pub signatures_max: u64,
    /// Bytes of a memo. Default 256, which is what the chain takes.
    pub memo_bytes_max: usize,
    /// Bytes of the encoded payload. Default 640: the longest token id with the longest memo.
    pub payload_bytes_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            execution_max: 2_000,
            signatures_max: 8,
            memo_bytes_max: 256,
            payload_bytes_max: 640,
        }
    }
}

impl Energy {
    /// What the header on chain states, and what is charged at most; none if it cannot be counted.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.sender_signatures
            .checked_add(self.sponsor_signatures)?
            .checked_mul(SIGNATURE)?
            .checked_add(HEADER_BYTES)?
            .checked_add(self.payload_bytes)?
            .checked_add(self.execution)
    }
}

/// Whether the transaction is within the bounds, for a sponsor that signs with so many keys.
pub(super) fn check(
    transaction: &Transaction,
    sponsor_signs: u64,
    bounds: &Bounds,
) -> Result<(), Rejection> {
    let Energy { execution, sender_signatures, sponsor_signatures, payload_bytes } =
        transaction.energy;
    let least = self::execution(&transaction.asset, &transaction.operations);
    if execution < least || execution > bounds.execution_max {
        return out_of_bounds(format!(
            "executionEnergyAmount is {execution}, not {least} to {}",
            bounds.execution_max
        ));
    }
    let given = transaction.signatures;
    if sender_signatures < given || sender_signatures > bounds.signatures_max {
        return out_of_bounds(format!(
            "header.numSignatures is {sender_signatures}, not {given} to {}",
            bounds.signatures_max
        ));
    }
    if sponsor_signatures < sponsor_signs || sponsor_signatures > bounds.signatures_max {
        return out_of_bounds(format!(
            "header.sponsor.numSignatures is {sponsor_signatures}, not {sponsor_signs} to {}",
            bounds.signatures_max
        ));
    }
    let memos = transaction.transfers().filter_map(|transfer| transfer.memo.as_deref());
    if let Some(memo) = memos.map(<[u8]>::len).find(|bytes| *bytes > bounds.memo_bytes_max) {
        let max = bounds.memo_bytes_max;
        return out_of_bounds(format!("the memo is of {memo} bytes, not of at most {max}"));
    }
    if payload_bytes > bounds.payload_bytes_max {
        let max = bounds.payload_bytes_max;
        return out_of_bounds(format!(
            "the payload is of {payload_bytes} bytes, not of at most {max}"
        ));
    }
    Ok(())
}

/// What execution costs. Operations that are no transfers never get that far and count nothing.
#[must_use]
pub fn execution(asset: &Asset, operations: &[Operation]) -> u64 {
    if *asset == Asset::Ccd {
        return CCD_TRANSFER;
    }
    let is_transfer = |operation: &&Operation| matches!(operation, Operation::Transfer(_));
    let transfers = operations.iter().filter(is_transfer).count() as u64;
    TOKEN_UPDATE + TOKEN_TRANSFER * transfers
}

fn out_of_bounds(detail: String) -> Result<(), Rejection> {
    Err(Rejection::new(ReasonCode::EnergyOutOfBounds, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sdks_compute_is_what_we_compute() {
        let energy = |execution, payload_bytes| Energy {
            execution,
            sender_signatures: 1,
            sponsor_signatures: 1,
            payload_bytes,
        };
        assert_eq!(energy(300, 41).total(), Some(635));
        assert_eq!(energy(400, 95).total(), Some(789));
        assert_eq!(energy(u64::MAX, 41).total(), None);
        let signatures = Energy { sender_signatures: u64::MAX / 100, ..energy(300, 41) };
        assert_eq!(signatures.total(), None);
    }
}
