//! Whether a submitted block item is received, by the rules and in the words of a node. What needs
//! the chain is separate from checking signatures and proofs, which takes long and needs no lock.

use std::sync::Arc;

use concordium_rust_sdk::base::{
    id::{chain::verify_cdi, types::AccountCredential},
    transactions::{AccountAccessStructure, BlockItem, verify_signature_transaction_sign_hash},
};
use either::Either;
use tonic::Status;

use crate::{
    chain::Chain,
    energy::{self, BLOCK_ENERGY_MAX},
    genesis::Genesis,
    item::{Item, Transaction},
    state::AccountIx,
};

/// Seconds ahead of now that an item may expire at most.
const EXPIRY_AHEAD_MAX_S: u64 = 2 * 60 * 60;

/// Why an item is not received. The texts are those of a node, which clients look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Duplicate entry")]
    Duplicate,
    #[error("Stale")]
    Expired,
    #[error("Expiry too late")]
    ExpiryTooLate,
    #[error("Verification failed")]
    BadSignature,
    #[error("Nonexisting sender account")]
    NoSuchAccount,
    #[error("Duplicate nonce")]
    SequenceTooSmall,
    #[error("Nonce too large")]
    SequenceTooLarge,
    #[error("Too low energy")]
    TooLittleEnergy,
    #[error("The stated energy of the transaction exceeds the maximum allowed")]
    TooMuchEnergy,
    #[error("The sender did not have enough funds to cover the costs")]
    InsufficientFunds,
    #[error("An account already exists with the given registration id")]
    DuplicateRegistration,
    #[error("The credential deployment contained invalid signatures")]
    BadCredential,
    #[error("The chain update contained invalid signatures")]
    Update,
    #[error("The block item pool is full")]
    PoolFull,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Duplicate => Self::already_exists(text),
            Refusal::PoolFull => Self::resource_exhausted(text),
            _ => Self::invalid_argument(text),
        }
    }
}

/// Keys of an account.
type Keys = Arc<AccountAccessStructure>;

/// What proves that an item may be received.
pub(crate) enum Proof {
    /// Signatures by these keys, of the sponsor's too if there is one.
    Signatures { sender: Keys, sponsor: Option<Keys> },
    /// The proofs of a credential.
    Credential,
}

/// An item that the chain has no objection to.
pub(crate) struct Admissible {
    pub(crate) proof: Proof,
    /// Account and sequence number of an account transaction.
    pub(crate) sender: Option<(AccountIx, u64)>,
}

/// Checks all that depends on the chain.
pub(crate) fn check(chain: &Chain, item: &Item, now_s: u64) -> Result<Admissible, Refusal> {
    if chain.status(&item.hash).is_some() {
        return Err(Refusal::Duplicate);
    }
    if item.expiry_s() < now_s {
        return Err(Refusal::Expired);
    }
    if item.expiry_s() > now_s + EXPIRY_AHEAD_MAX_S {
        return Err(Refusal::ExpiryTooLate);
    }
    if chain.pool.is_full() {
        return Err(Refusal::PoolFull);
    }
    match &item.body {
        BlockItem::CredentialDeployment(message) => {
            let AccountCredential::Normal { cdi } = &message.credential else {
                return Err(Refusal::BadCredential);
            };
            if chain.ledger.find_credential(&cdi.values.cred_id).is_some() {
                return Err(Refusal::DuplicateRegistration);
            }
            Ok(Admissible { proof: Proof::Credential, sender: None })
        }
        BlockItem::UpdateInstruction(_) => Err(Refusal::Update),
        BlockItem::AccountTransaction(_) | BlockItem::AccountTransactionV1(_) => {
            let tx = item.transaction().expect("account transactions have this view");
            check_transaction(chain, &tx)
        }
    }
}

fn check_transaction(chain: &Chain, tx: &Transaction<'_>) -> Result<Admissible, Refusal> {
    if tx.energy < tx.energy_base {
        return Err(Refusal::TooLittleEnergy);
    }
    if tx.energy > BLOCK_ENERGY_MAX {
        return Err(Refusal::TooMuchEnergy);
    }
    let sender = chain.find_account(&tx.sender).ok_or(Refusal::NoSuchAccount)?;
    let sponsor = match &tx.sponsor {
        None => None,
        Some(address) => Some(chain.find_account(address).ok_or(Refusal::NoSuchAccount)?),
    };
    let next = chain.next_sequence(sender);
    if tx.sequence < next {
        return Err(Refusal::SequenceTooSmall);
    }
    if tx.sequence > next {
        return Err(Refusal::SequenceTooLarge);
    }
    if chain.ledger.latest(sponsor.unwrap_or(sender)).balance < energy::fee(tx.energy) {
        return Err(Refusal::InsufficientFunds);
    }
    let keys = |ix| chain.ledger.account(ix).keys();
    let proof = Proof::Signatures { sender: keys(sender), sponsor: sponsor.map(keys) };
    Ok(Admissible { proof, sender: Some((sender, tx.sequence)) })
}

/// Checks signatures or proofs: pure computing, tens of milliseconds for a credential.
pub(crate) fn verify(genesis: &Genesis, item: &Item, proof: &Proof) -> Result<(), Refusal> {
    match proof {
        Proof::Signatures { sender, sponsor } => {
            let (Some(tx), Some(hash)) = (item.transaction(), item.sign_hash()) else {
                return Err(Refusal::BadSignature);
            };
            let signed = |keys: &Keys, signature| {
                verify_signature_transaction_sign_hash(keys.as_ref(), &hash, signature)
            };
            let sponsor_signed = match (sponsor, tx.sponsor_signature) {
                (None, None) => true,
                (Some(keys), Some(signature)) => signed(keys, signature),
                // A sponsor that did not sign, or a signature of nobody.
                (Some(_), None) | (None, Some(_)) => false,
            };
            let valid = sponsor_signed && signed(sender, tx.sender_signature);
            if valid { Ok(()) } else { Err(Refusal::BadSignature) }
        }
        Proof::Credential => verify_credential(genesis, item),
    }
}

fn verify_credential(genesis: &Genesis, item: &Item) -> Result<(), Refusal> {
    let BlockItem::CredentialDeployment(message) = &item.body else {
        return Err(Refusal::BadCredential);
    };
    let AccountCredential::Normal { cdi } = &message.credential else {
        return Err(Refusal::BadCredential);
    };
    let new = Either::Left(message.message_expiry);
    verify_cdi(&genesis.global, &genesis.provider, &genesis.guardians, cdi, &new)
        .map_err(|_| Refusal::BadCredential)
}
