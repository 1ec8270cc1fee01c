//! From the chain's values to the messages of the node's gRPC API. No decisions are made here.

mod account;
mod block;
mod credential;
mod parameters;
mod token;

use concordium_rust_sdk::{
    types::hashes::BlockHash,
    v2::generated::{self, AmountFraction, Timestamp},
};

pub(crate) use account::account_info;
pub(crate) use block::{block_info, block_item, consensus_info};
pub(crate) use parameters::{
    anonymity_revoker, chain_parameters, cryptographic_parameters, identity_provider,
};
pub(crate) use token::token_info;

pub(crate) fn block_hash(hash: &BlockHash) -> generated::BlockHash {
    generated::BlockHash { value: hash.as_ref().to_vec() }
}

fn amount(micro_ccd: u64) -> Option<generated::Amount> {
    Some(generated::Amount { value: micro_ccd })
}

fn timestamp(ms: u64) -> Option<Timestamp> {
    Some(Timestamp { value: ms })
}

fn fraction(parts_per_hundred_thousand: u32) -> Option<AmountFraction> {
    Some(AmountFraction { parts_per_hundred_thousand })
}
