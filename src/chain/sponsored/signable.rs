//! A sponsored transaction as its sender handed it in: the exact bytes that it signed, and what
//! they say in our words.
//!
//! It says whether the sender's signatures hold, not whether the transaction should be sponsored.

use std::collections::BTreeMap;

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    ids::Digest,
    rejection::Rejection,
    sponsored::{
        energy::{self, Energy},
        rules::SenderSignature,
        transaction::{Operation, Transaction, Transfer},
    },
};
use ccd402_protocol::{
    code::ReasonCode,
    payload::AccountSignatures,
    sponsored::{SignedTransaction, TransactionPayload},
};
use concordium_rust_sdk::base::{
    base::{Energy as SdkEnergy, Nonce},
    common::types::{CredentialIndex, KeyIndex, Signature, TransactionSignature, TransactionTime},
    constants::MAX_MEMO_SIZE,
    contracts_common::Amount as SdkAmount,
    hashes::TransactionSignHash,
    protocol_level_tokens::{RawCbor, TokenOperationsPayload},
    transactions::{
        EncodedPayload, Memo, Payload, PayloadLike, TransactionHeaderV1,
        compute_transaction_sign_hash_v1,
    },
};

use super::operations;
use crate::{account::Account, codec};

/// Length of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;
/// Bytes of the length that SDKs put before a memo.
const MEMO_LENGTH_BYTES: usize = 2;

/// A transaction that its sender has signed and its sponsor has not.
#[derive(Debug, Clone)]
pub struct Signable {
    pub(super) header: TransactionHeaderV1,
    pub(super) payload: EncodedPayload,
    pub(super) sender_signature: TransactionSignature,
    pub(super) hash_to_sign: TransactionSignHash,
    transaction: Transaction,
}

/// What a payload does, and its bytes.
struct Deed {
    payload: Payload,
    asset: Asset,
    operations: Vec<Operation>,
}

impl Signable {
    /// Reads it from the wire, applying rules 1 and 2 of the scheme: that it can be read, and that
    /// its sender is an account's address.
    ///
    /// # Errors
    /// `invalid_transaction_format`, `energy_out_of_bounds` for what is too large to be written,
    /// and after them `invalid_sender_address`.
    pub fn read(wire: &SignedTransaction) -> Result<Self, Rejection> {
        let Deed { payload, asset, operations } = deed(&wire.payload)?;
        let execution = energy::execution(&asset, &operations);
        let payload = payload.encode();
        let header = &wire.header;
        let sponsor = address(&header.sponsor.account, "header.sponsor.account")?;
        let signatures = signatures(&wire.signatures.sender)?;
        let energy = Energy {
            execution: header.execution_energy_amount.unwrap_or(execution),
            sender_signatures: header.num_signatures,
            sponsor_signatures: header.sponsor.num_signatures,
            payload_bytes: u64::from(u32::from(payload.size())),
        };
        let Some(total) = energy.total() else {
            let detail = "the energy cannot be counted";
            return Err(Rejection::new(ReasonCode::EnergyOutOfBounds, detail));
        };
        let sender = header.sender.parse().map_err(|_| {
            let detail = "header.sender is not an account address";
            Rejection::new(ReasonCode::InvalidSenderAddress, detail)
        })?;
        let given = signatures.values().map(|keys: &BTreeMap<_, _>| keys.len() as u64).sum();
        let transaction_header = TransactionHeaderV1 {
            sender: codec::sdk_address(&sender),
            nonce: Nonce { nonce: header.nonce },
            energy_amount: SdkEnergy { energy: total },
            payload_size: payload.size(),
            expiry: TransactionTime { seconds: header.expiry },
            sponsor: Some(codec::sdk_address(&sponsor)),
        };
        let hash_to_sign = compute_transaction_sign_hash_v1(&transaction_header, &payload);
        let transaction = Transaction {
            sender,
            sequence_number: header.nonce,
            expires_at_s: header.expiry,
            sponsor,
            energy,
            signatures: given,
            asset,
            operations,
            digest: Digest::from_bytes(hash_to_sign.bytes),
        };
        let sender_signature = TransactionSignature { signatures };
        let header = transaction_header;
        Ok(Self { header, payload, sender_signature, hash_to_sign, transaction })
    }

    /// What it says.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What the sender's signatures are worth, by its account on chain; none if there is none.
    #[must_use]
    pub fn signature(&self, sender: Option<&Account>) -> SenderSignature {
        let Some(account) = sender else { return SenderSignature::NoAccount };
        let is_sender = account.address.is_alias_of(&self.transaction.sender);
        if is_sender && account.has_signed(&self.hash_to_sign, &self.sender_signature) {
            SenderSignature::Holds
        } else {
            SenderSignature::DoesNotHold
        }
    }
}

fn malformed(detail: &str) -> Rejection {
    Rejection::new(ReasonCode::InvalidTransactionFormat, detail)
}

fn deed(payload: &TransactionPayload) -> Result<Deed, Rejection> {
    match payload {
        TransactionPayload::Transfer { to_address, amount } => ccd(to_address, *amount, None),
        TransactionPayload::TransferWithMemo { to_address, memo, amount } => {
            ccd(to_address, *amount, Some(memo_bytes(memo)?))
        }
        TransactionPayload::TokenUpdate { token_id, operations } => token(token_id, operations),
    }
}

fn ccd(to: &str, micro_ccd: u64, memo: Option<Vec<u8>>) -> Result<Deed, Rejection> {
    let to = address(to, "payload.toAddress")?;
    let to_address = codec::sdk_address(&to);
    let amount = SdkAmount::from_micro_ccd(micro_ccd);
    let payload = match memo.clone().map(Memo::try_from) {
        None => Payload::Transfer { to_address, amount },
        Some(Ok(memo)) => Payload::TransferWithMemo { to_address, memo, amount },
        Some(Err(_)) => {
            let detail = format!("the memo is not of at most {MAX_MEMO_SIZE} bytes");
            return Err(Rejection::new(ReasonCode::EnergyOutOfBounds, detail));
        }
    };
    let amount = Amount::from_units(micro_ccd);
    let transfer = Operation::Transfer(Transfer { to, amount, decimals: None, memo });
    Ok(Deed { payload, asset: Asset::Ccd, operations: vec![transfer] })
}

fn token(id: &str, operations: &str) -> Result<Deed, Rejection> {
    let asset: Asset = id.parse().map_err(|_| malformed("payload.tokenId is not a token's id"))?;
    let Asset::Token(_) = asset else {
        return Err(malformed("payload.tokenId is CCD, which is not a token"));
    };
    let token_id = id.parse().map_err(|_| malformed("payload.tokenId is not a token's id"))?;
    let unreadable = || malformed("payload.operations is not the CBOR of token operations, in hex");
    let too_long = operations.len() > 2 * operations::BYTES_MAX;
    let cbor = if too_long { None } else { hex::decode(operations).ok() };
    let cbor = cbor.ok_or_else(unreadable)?;
    let operations = operations::read(&cbor).ok_or_else(unreadable)?;
    let operations_cbor = RawCbor::from(cbor);
    let payload = TokenOperationsPayload { token_id, operations: operations_cbor };
    Ok(Deed { payload: Payload::TokenUpdate { payload }, asset, operations })
}

/// The bytes of a memo. SDKs write its length before it, in two bytes; others write it alone.
fn memo_bytes(text: &str) -> Result<Vec<u8>, Rejection> {
    let bytes = hex::decode(text).map_err(|_| malformed("payload.memo is not hex"))?;
    let stated = bytes.split_first_chunk::<MEMO_LENGTH_BYTES>();
    Ok(match stated {
        Some((length, memo)) if usize::from(u16::from_be_bytes(*length)) == memo.len() => {
            memo.to_vec()
        }
        _ => bytes,
    })
}

fn address(text: &str, name: &str) -> Result<AccountAddress, Rejection> {
    text.parse().map_err(|_| malformed(&format!("{name} is not an account address")))
}

type Signatures = BTreeMap<CredentialIndex, BTreeMap<KeyIndex, Signature>>;

fn signatures(wire: &AccountSignatures) -> Result<Signatures, Rejection> {
    let read = |(key, text): (&u8, &String)| {
        let mut sig = vec![0; SIGNATURE_BYTES];
        hex::decode_to_slice(text, &mut sig)
            .map_err(|_| malformed("a signature is not 128 hex digits"))?;
        Ok((KeyIndex(*key), Signature { sig }))
    };
    wire.iter()
        .map(|(credential, keys)| {
            let keys = keys.iter().map(read).collect::<Result<_, Rejection>>()?;
            Ok((CredentialIndex { index: *credential }, keys))
        })
        .collect()
}
