//! The operations of a token update, read from their CBOR as the chain reads them.
//!
//! What could be read in two ways is not read: where a key stands twice in a map, one reader takes
//! the first value and another the last, and the payer would choose which of us is right.

use ccd402_domain::{
    amount::Amount,
    sponsored::transaction::{Operation, Transfer},
};
use concordium_rust_sdk::base::{
    common::{
        cbor::{
            SerializationOptions, UnknownMapKeys, cbor_decode, cbor_decode_with_options,
            value::Value,
        },
        upward::Upward,
    },
    protocol_level_tokens::{CborMemo, TokenOperation, TokenOperations, TokenTransfer},
};

use crate::codec;

/// Longest CBOR that is read. The SDK reads nested values by recursion, so this bounds its depth;
/// a transfer with the longest memo is of about 370 bytes.
pub(super) const BYTES_MAX: usize = 1_024;

/// The operations in the CBOR; none if they are too long, malformed or ambiguous.
pub(super) fn read(cbor: &[u8]) -> Option<Vec<Operation>> {
    if cbor.len() > BYTES_MAX || says_twice(&cbor_decode(cbor).ok()?) {
        return None;
    }
    let strict = SerializationOptions::default().unknown_map_keys(UnknownMapKeys::Fail);
    let operations: TokenOperations = cbor_decode_with_options(cbor, strict).ok()?;
    Some(operations.operations.iter().map(operation).collect())
}

fn operation(operation: &Upward<TokenOperation, Value>) -> Operation {
    match operation {
        Upward::Known(TokenOperation::Transfer(ordered)) => Operation::Transfer(transfer(ordered)),
        Upward::Known(_) | Upward::Unknown(_) => Operation::Other,
    }
}

fn transfer(ordered: &TokenTransfer) -> Transfer {
    Transfer {
        to: codec::address(&ordered.recipient.address),
        amount: Amount::from_units(ordered.amount.value()),
        decimals: Some(ordered.amount.decimals()),
        memo: ordered.memo.as_ref().map(|memo| match memo {
            CborMemo::Raw(memo) | CborMemo::Cbor(memo) => memo.as_ref().clone(),
        }),
    }
}

/// Whether any map in the value has two entries of one key.
fn says_twice(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(says_twice),
        Value::Tag(_, inner) => says_twice(inner),
        Value::Map(entries) => {
            let keys = || entries.iter().map(|(key, _)| key);
            let repeats = keys().enumerate().any(|(at, key)| keys().take(at).any(|k| k == key));
            repeats || entries.iter().any(|(_, inner)| says_twice(inner))
        }
        _ => false,
    }
}
