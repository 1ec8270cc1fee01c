//! The SDK's words in ours: hashes, addresses, and what a finalized transaction did.
//!
//! What is unknown to this version of the SDK is never guessed: it is `NotUnderstood`, because it
//! may be a payment.

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    ids::{BlockHash, TransactionHash},
    transaction::{BlockRef, FinalizedTransaction, Outcome, Sponsorship, Transfer},
};
use concordium_rust_sdk::{
    base::{
        common::from_bytes,
        contracts_common::AccountAddress as SdkAddress,
        hashes::{BlockHash as SdkBlockHash, TransactionHash as SdkTransactionHash},
        protocol_level_tokens::{TokenEvent, TokenEventDetails, TokenHolder},
        transactions::{BlockItem, EncodedPayload},
    },
    types::{
        AccountTransactionDetails, AccountTransactionEffects, BlockItemSummary,
        BlockItemSummaryDetails, queries::BlockInfo,
    },
    v2::Upward,
};

use crate::error::Error;

/// First byte of an encoded version 1 account transaction.
const KIND_TRANSACTION_V1: u8 = 3;

/// Longest reason of a rejected transaction that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

/// An address of ours.
#[must_use]
pub fn address(address: &SdkAddress) -> AccountAddress {
    AccountAddress::from_bytes(address.0)
}

/// An address of the SDK's.
#[must_use]
pub fn sdk_address(address: &AccountAddress) -> SdkAddress {
    SdkAddress(*address.as_bytes())
}

/// A block hash of ours.
#[must_use]
pub fn block_hash(hash: &SdkBlockHash) -> BlockHash {
    BlockHash::from_bytes(hash.bytes)
}

/// A transaction hash of ours.
#[must_use]
pub fn transaction_hash(hash: &SdkTransactionHash) -> TransactionHash {
    TransactionHash::from_bytes(hash.bytes)
}

/// A transaction hash of the SDK's.
#[must_use]
pub fn sdk_transaction_hash(hash: &TransactionHash) -> SdkTransactionHash {
    SdkTransactionHash::from(*hash.as_bytes())
}

/// The block item in the bytes, if that is all there is in them.
#[must_use]
pub fn block_item(bytes: &[u8]) -> Option<BlockItem<EncodedPayload>> {
    let (kind, mut rest) = bytes.split_first()?;
    let item = if *kind == KIND_TRANSACTION_V1 {
        // The SDK encodes this kind of item and does not decode it.
        BlockItem::AccountTransactionV1(from_bytes(&mut rest).ok()?)
    } else {
        rest = bytes;
        from_bytes(&mut rest).ok()?
    };
    rest.is_empty().then_some(item)
}

/// Which block this is about.
#[must_use]
pub fn block_ref(info: &BlockInfo) -> BlockRef {
    BlockRef {
        height: info.block_height.height,
        hash: block_hash(&info.block_hash),
        time: info.block_slot_time,
    }
}

/// What a transaction in a finalized block did.
///
/// # Errors
/// `NotUnderstood` when the chain says something that this version does not know.
pub fn transaction(
    summary: &BlockItemSummary,
    block: BlockRef,
) -> Result<FinalizedTransaction, Error> {
    let hash = transaction_hash(&summary.hash);
    let unknown = |what| {
        Error::NotUnderstood(format!(
            "{what} of transaction {hash} at height {} is newer than this program: upgrade it",
            block.height
        ))
    };
    let Upward::Known(details) = &summary.details else { return Err(unknown("the kind")) };
    let (sender, sponsorship, outcome) = match details {
        BlockItemSummaryDetails::AccountTransaction(details) => {
            let outcome = outcome(details).ok_or_else(|| unknown("the effect"))?;
            let sponsorship = details.sponsor.as_ref().map(|paid| {
                let fee = Amount::from_units(paid.cost.micro_ccd);
                Box::new(Sponsorship { sponsor: address(&paid.sponsor), fee })
            });
            (Some(address(&details.sender)), sponsorship, outcome)
        }
        BlockItemSummaryDetails::AccountCreation(_)
        | BlockItemSummaryDetails::Update(_)
        | BlockItemSummaryDetails::TokenCreationDetails(_) => (None, None, Outcome::NotATransfer),
    };
    Ok(FinalizedTransaction { hash, block, sender, outcome, sponsorship })
}

/// What an account transaction did; none if its effects are unknown.
fn outcome(details: &AccountTransactionDetails) -> Option<Outcome> {
    let Upward::Known(effects) = &details.effects else { return None };
    let ccd = |to: &SdkAddress, micro_ccd: u64, memo: Option<&[u8]>| {
        Outcome::Transfer(Transfer {
            to: address(to),
            asset: Asset::Ccd,
            amount: Amount::from_units(micro_ccd),
            memo: memo.map(<[u8]>::to_vec),
        })
    };
    Some(match effects {
        AccountTransactionEffects::None { reject_reason, .. } => {
            Outcome::Rejected { reason: reason_text(reject_reason) }
        }
        AccountTransactionEffects::AccountTransfer { amount, to } => {
            ccd(to, amount.micro_ccd, None)
        }
        AccountTransactionEffects::AccountTransferWithMemo { amount, to, memo } => {
            ccd(to, amount.micro_ccd, Some(memo.as_ref()))
        }
        AccountTransactionEffects::TokenUpdate { events } => {
            token_transfer(&details.sender, events).map_or(Outcome::NotATransfer, Outcome::Transfer)
        }
        _ => Outcome::NotATransfer,
    })
}

/// The one transfer that the events tell of, if they tell of nothing else.
fn token_transfer(sender: &SdkAddress, events: &[TokenEvent]) -> Option<Transfer> {
    let [event] = events else { return None };
    let TokenEventDetails::Transfer(transfer) = &event.event else { return None };
    let TokenHolder::Account { address: from } = &transfer.from;
    let TokenHolder::Account { address: to } = &transfer.to;
    from.is_alias(sender).then(|| Transfer {
        to: address(to),
        asset: Asset::Token(event.token_id.as_ref().to_owned()),
        amount: Amount::from_units(transfer.amount.value()),
        memo: transfer.memo.as_ref().map(|memo| memo.as_ref().to_vec()),
    })
}

fn reason_text<R: std::fmt::Debug>(reason: &Upward<R>) -> String {
    match reason {
        Upward::Known(reason) => format!("{reason:?}").chars().take(REASON_CHARS_MAX).collect(),
        Upward::Unknown(()) => "a reason newer than this program".to_owned(),
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
