//! An account of ours that pays fees: it signs what its payer has signed, and nothing else.
//!
//! Whether a transaction should be sponsored is decided before. Keys stay here: they are wiped from
//! memory when the last holder lets go of them, and no `Debug` shows them.

use std::{fmt, sync::Arc};

use ccd402_domain::{account::AccountAddress, sponsored::offer, sponsored::rules::SenderSignature};
use ccd402_protocol::network::NetworkId;
use concordium_rust_sdk::base::{
    common::{to_bytes, types::TransactionSignaturesV1},
    hashes::TransactionSignHash,
    id::types::AccountKeys,
    transactions::{
        AccountTransactionV1, BlockItem, EncodedPayload, ExactSizeTransactionSigner,
        TransactionSigner,
    },
};

use super::Signable;
use crate::{account::Account, codec, transfer::Signed, wallet::WalletFile};

/// Why a transaction was not signed, or a wallet cannot sponsor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The wallet belongs to another network than the facilitator.
    #[error("the sponsor's wallet is of network {wallet}, not of {ours}: use one of {ours}")]
    OtherNetwork {
        /// Where its account is.
        wallet: String,
        /// Where we are.
        ours: NetworkId,
    },
    /// The transaction names another sponsor.
    #[error("the transaction names another sponsor than {0}")]
    OtherSponsor(AccountAddress),
    /// The sender's signatures do not hold for its account.
    #[error("the sender's signatures do not hold")]
    NotSigned,
    /// The transaction's energy is not enough for the sponsor's signatures.
    #[error("the transaction has energy for {stated} signatures of the sponsor, not for {signs}")]
    TooFewStated {
        /// For which it has energy.
        stated: u64,
        /// How many the sponsor makes.
        signs: u64,
    },
}

/// An account of ours that pays fees. Its `Debug` shows the address alone.
#[derive(Clone)]
pub struct Sponsor {
    address: AccountAddress,
    keys: Arc<AccountKeys>,
}

impl Sponsor {
    /// The sponsor of a wallet file.
    ///
    /// # Errors
    /// If its account is on another network.
    pub fn open(file: &WalletFile, network: &NetworkId) -> Result<Self, Error> {
        if file.network != network.as_str() {
            let wallet = file.network.clone();
            return Err(Error::OtherNetwork { wallet, ours: network.clone() });
        }
        let keys = Arc::clone(&file.account_keys);
        Ok(Self { address: codec::address(&file.address), keys })
    }

    /// What the rules need to know of it.
    #[must_use]
    pub fn described(&self) -> offer::Sponsor {
        offer::Sponsor { address: self.address, signatures: u64::from(self.keys.num_keys()) }
    }

    /// Whether its keys sign for the account that the chain knows: look before anything is
    /// promised, because a wallet file may be older than the account's keys.
    #[must_use]
    pub fn signs_for(&self, account: &Account) -> bool {
        let hash = TransactionSignHash::from([0; 32]);
        let signature = self.keys.sign_transaction_hash(&hash);
        account.address.is_alias_of(&self.address) && account.has_signed(&hash, &signature)
    }

    /// Signs as the sponsor, and finishes the transaction. The sender's signatures are checked once
    /// more: a sponsor pays for what the chain then finds unsigned.
    ///
    /// # Errors
    /// If it is not this sponsor's, not signed by its sender, or short of energy for both.
    pub fn sign(&self, signable: &Signable, sender: &Account) -> Result<Signed, Error> {
        let named = signable.transaction().sponsor;
        if named.is_alias_of(&self.address)
            && signable.signature(Some(sender)) != SenderSignature::Holds
        {
            return Err(Error::NotSigned);
        }
        self.finish(signable)
    }

    /// The same where the sender's signatures are known to hold.
    ///
    /// # Errors
    /// If it is not this sponsor's, or short of energy for both.
    pub(super) fn finish(&self, signable: &Signable) -> Result<Signed, Error> {
        let transaction = signable.transaction();
        if !transaction.sponsor.is_alias_of(&self.address) {
            return Err(Error::OtherSponsor(self.address));
        }
        let stated = transaction.energy.sponsor_signatures;
        let signs = u64::from(self.keys.num_keys());
        if stated < signs {
            return Err(Error::TooFewStated { stated, signs });
        }
        let sponsor = self.keys.sign_transaction_hash(&signable.hash_to_sign);
        let finished: AccountTransactionV1<EncodedPayload> = AccountTransactionV1 {
            signatures: TransactionSignaturesV1 {
                sender: signable.sender_signature.clone(),
                sponsor: Some(sponsor),
            },
            header: signable.header.clone(),
            payload: signable.payload.clone(),
        };
        let item = BlockItem::AccountTransactionV1(finished);
        Ok(Signed { bytes: to_bytes(&item), hash: codec::transaction_hash(&item.hash()) })
    }
}

impl fmt::Debug for Sponsor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sponsor").field("address", &self.address).finish_non_exhaustive()
    }
}
