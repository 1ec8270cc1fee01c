//! The port of sponsoring: our accounts that pay fees, what the chain says of accounts and tokens, and
//! sending what both have signed.
//!
//! Whether a payment may be sponsored is decided in the domain; keys never leave the adapter.

use std::sync::Arc;

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::TransactionHash;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::offer::Policy;
use ccd402_domain::sponsored::preflight::{AccountState, TokenState};
use ccd402_domain::sponsored::rules::SenderSignature;
use ccd402_domain::sponsored::transaction::Transaction;
use ccd402_protocol::sponsored::SignedTransaction;

use crate::ports::chain::ChainError;

/// How new an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As of the last block that was seen, without asking a node where it is known.
    Known,
    /// As a node says now.
    Now,
}

/// A transaction that sender and sponsor have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its hash.
    pub hash: TransactionHash,
    /// The block item as nodes take it.
    pub block_item: Vec<u8>,
}

/// What a node made of a block item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The chain has it, now or since before.
    Taken,
    /// The node will not take it now, in its own words.
    Refused(String),
}

/// Pays fees on one network.
#[async_trait]
pub trait Sponsoring: Send + Sync {
    /// What it sponsors, and from which accounts.
    fn policy(&self) -> &Policy;

    /// Reads a transaction as its sender has signed it: rules 1 and 2 of the scheme.
    ///
    /// # Errors
    /// What cannot be read, by its code.
    fn read(&self, wire: &SignedTransaction) -> Result<Transaction, Rejection>;

    /// What the sender's signatures are worth by the keys that its account has.
    async fn signature(&self, wire: &SignedTransaction) -> Result<SenderSignature, ChainError>;

    /// An account; none if there is none.
    async fn account(
        &self,
        address: &AccountAddress,
        freshness: Freshness,
    ) -> Result<Option<Arc<AccountState>>, ChainError>;

    /// A token; none if there is none, or for CCD.
    async fn token(
        &self,
        asset: &Asset,
        freshness: Freshness,
    ) -> Result<Option<Arc<TokenState>>, ChainError>;

    /// What so much energy costs, in microCCD.
    async fn fee(&self, energy: u64) -> Result<Amount, ChainError>;

    /// Signs as the sponsor that the transaction names. The same transaction always gives the same
    /// bytes, for as long as the sponsor has the same keys.
    ///
    /// Its sender's signatures are checked first: a sponsor pays for what the chain then finds
    /// unsigned. Only where they were found to hold for this very state of the sender's account, and it
    /// is still the one that is known, they are not checked again.
    async fn sign(
        &self,
        wire: &SignedTransaction,
        holds_for: Option<&Arc<AccountState>>,
    ) -> Result<Result<Finished, Rejection>, ChainError>;

    /// Sends a block item. After an error it may have been taken: the same bytes may be sent again.
    async fn send(&self, block_item: &[u8]) -> Result<Sent, ChainError>;
}
