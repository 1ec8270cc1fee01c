//! A block item as it is submitted, kept and looked up: the decoded form, its hash and its size,
//! and one view of the two versions of account transactions.

use ccd402_chain::codec;
use concordium_rust_sdk::{
    base::{
        contracts_common::AccountAddress,
        hashes::{TransactionHash, TransactionSignHash},
        transactions::{
            BlockItem, EncodedPayload, compute_transaction_sign_hash,
            compute_transaction_sign_hash_v1, cost,
        },
    },
    common::{to_bytes, types::TransactionSignature},
};

/// A block item with what is derived from its bytes once.
pub(crate) struct Item {
    pub(crate) hash: TransactionHash,
    /// Bytes of its encoding.
    pub(crate) size: u32,
    pub(crate) body: BlockItem<EncodedPayload>,
}

/// What an account transaction of either version says.
pub(crate) struct Transaction<'a> {
    pub(crate) sender: AccountAddress,
    pub(crate) sequence: u64,
    /// Energy that it may use at most.
    pub(crate) energy: u64,
    /// Energy for its size and signatures, charged whatever happens.
    pub(crate) energy_base: u64,
    pub(crate) sponsor: Option<AccountAddress>,
    pub(crate) payload: &'a EncodedPayload,
    pub(crate) sender_signature: &'a TransactionSignature,
    pub(crate) sponsor_signature: Option<&'a TransactionSignature>,
}

impl Item {
    pub(crate) fn new(body: BlockItem<EncodedPayload>) -> Self {
        let size = u32::try_from(to_bytes(&body).len()).unwrap_or(u32::MAX);
        Self { hash: body.hash(), size, body }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        to_bytes(&self.body)
    }

    /// The item in `bytes`, if that is all there is in them.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        codec::block_item(bytes).map(Self::new)
    }

    /// Seconds since 1970 after which no block may include it.
    pub(crate) fn expiry_s(&self) -> u64 {
        match &self.body {
            BlockItem::AccountTransaction(tx) => tx.header.expiry.seconds,
            BlockItem::AccountTransactionV1(tx) => tx.header.expiry.seconds,
            BlockItem::CredentialDeployment(message) => message.message_expiry.seconds,
            BlockItem::UpdateInstruction(update) => update.header.timeout.seconds,
        }
    }

    /// The account transaction, unless the item is of another kind.
    pub(crate) fn transaction(&self) -> Option<Transaction<'_>> {
        match &self.body {
            BlockItem::AccountTransaction(tx) => Some(Transaction {
                sender: tx.header.sender,
                sequence: tx.header.nonce.nonce,
                energy: tx.header.energy_amount.energy,
                energy_base: base(&tx.header, &tx.payload, tx.signature.num_signatures()),
                sponsor: None,
                payload: &tx.payload,
                sender_signature: &tx.signature,
                sponsor_signature: None,
            }),
            BlockItem::AccountTransactionV1(tx) => {
                let sponsor_signature = tx.signatures.sponsor.as_ref();
                let signatures = tx.signatures.sender.num_signatures()
                    + sponsor_signature.map_or(0, TransactionSignature::num_signatures);
                Some(Transaction {
                    sender: tx.header.sender,
                    sequence: tx.header.nonce.nonce,
                    energy: tx.header.energy_amount.energy,
                    energy_base: base(&tx.header, &tx.payload, signatures),
                    sponsor: tx.header.sponsor,
                    payload: &tx.payload,
                    sender_signature: &tx.signatures.sender,
                    sponsor_signature,
                })
            }
            BlockItem::CredentialDeployment(_) | BlockItem::UpdateInstruction(_) => None,
        }
    }

    /// What the signatures of an account transaction sign.
    pub(crate) fn sign_hash(&self) -> Option<TransactionSignHash> {
        match &self.body {
            BlockItem::AccountTransaction(tx) => {
                Some(compute_transaction_sign_hash(&tx.header, &tx.payload))
            }
            BlockItem::AccountTransactionV1(tx) => {
                Some(compute_transaction_sign_hash_v1(&tx.header, &tx.payload))
            }
            BlockItem::CredentialDeployment(_) | BlockItem::UpdateInstruction(_) => None,
        }
    }
}

fn base(
    header: &impl concordium_rust_sdk::common::Serial,
    payload: &EncodedPayload,
    signatures: u32,
) -> u64 {
    let size = to_bytes(header).len() + to_bytes(payload).len();
    cost::base_cost(size as u64, signatures).energy
}
