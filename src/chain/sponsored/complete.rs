//! Whether a finished transaction is signed by both who must sign it.
//!
//! The SDK's own check of a version 1 transaction is true where the sponsor's signature is missing;
//! the chain's is not.

use concordium_rust_sdk::base::transactions::{BlockItem, compute_transaction_sign_hash_v1};

use crate::{account::Account, codec};

/// Whether the bytes are a sponsored transaction that these two accounts have signed.
#[must_use]
pub fn is_signed_by_both(bytes: &[u8], sender: &Account, sponsor: &Account) -> bool {
    let Some(BlockItem::AccountTransactionV1(transaction)) = codec::block_item(bytes) else {
        return false;
    };
    let header = &transaction.header;
    let (Some(by_sponsor), Some(named)) = (&transaction.signatures.sponsor, &header.sponsor) else {
        return false;
    };
    let names = sender.address.is_alias_of(&codec::address(&header.sender))
        && sponsor.address.is_alias_of(&codec::address(named));
    let hash = compute_transaction_sign_hash_v1(header, &transaction.payload);
    names
        && sender.has_signed(&hash, &transaction.signatures.sender)
        && sponsor.has_signed(&hash, by_sponsor)
}
