//! Building and signing one transfer: CCD, or one operation of a protocol-level token.

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    ids::{Digest, TransactionHash},
    memo,
};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::base::{
    base::Nonce,
    common::{to_bytes, types::TransactionTime},
    contracts_common::{AccountAddress as SdkAddress, Amount as SdkAmount},
    id::types::AccountKeys,
    protocol_level_tokens::{CborMemo, TokenAmount, TokenOperations, operations},
    transactions::{BlockItem, Memo, send},
};

use crate::{codec, parameters::Token};

/// A transfer to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who receives it.
    pub to: AccountAddress,
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// The binding digest for the memo; none leaves the memo out.
    pub memo: Option<Digest>,
    /// When the chain must no longer take it; whole seconds count.
    pub expires_at: DateTime<Utc>,
}

/// A signed transaction: write it down before it is sent, so that it can be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What `send` takes.
    pub bytes: Vec<u8>,
    /// How the chain will call it.
    pub hash: TransactionHash,
}

/// Signs the transfer of an account with a sequence number; the token is that of the asset.
pub(crate) fn sign(
    transfer: &Transfer,
    (sender, nonce): (SdkAddress, Nonce),
    token: Option<&Token>,
    keys: &AccountKeys,
) -> Signed {
    let to = codec::sdk_address(&transfer.to);
    let seconds = u64::try_from(transfer.expires_at.timestamp()).unwrap_or_default();
    let expiry = TransactionTime::from_seconds(seconds);
    let memo = transfer.memo.as_ref().map(|digest| {
        Memo::try_from(memo::encode(digest)).expect("34 bytes are less than the 256 allowed")
    });
    let transaction = match (token, memo) {
        (None, None) => {
            let amount = SdkAmount::from_micro_ccd(transfer.amount.units());
            send::transfer(keys, sender, nonce, expiry, to, amount)
        }
        (None, Some(memo)) => {
            let amount = SdkAmount::from_micro_ccd(transfer.amount.units());
            send::transfer_with_memo(keys, sender, nonce, expiry, to, amount, memo)
        }
        (Some(token), memo) => {
            let amount = TokenAmount::from_raw(transfer.amount.units(), token.decimals);
            let operation = match memo {
                None => operations::transfer_tokens(to, amount),
                Some(memo) => {
                    operations::transfer_tokens_with_memo(to, amount, CborMemo::Cbor(memo))
                }
            };
            let operations = TokenOperations::from_iter([operation]);
            let id = token.id.clone();
            send::token_update_operations(keys, sender, nonce, expiry, id, operations)
                .expect("a transfer has a CBOR form")
        }
    };
    let item = BlockItem::from(transaction);
    Signed { bytes: to_bytes(&item), hash: codec::transaction_hash(&item.hash()) }
}
