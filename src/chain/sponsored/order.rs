//! The payer's side: writes a transfer whose fee another account pays, in the JSON of Concordium's
//! SDKs, and signs it.
//!
//! Nothing is sent: the transaction is finished, and sent, by whoever sponsors it.

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    rejection::Rejection,
    sponsored::energy::{CCD_TRANSFER, TOKEN_TRANSFER, TOKEN_UPDATE},
};
use ccd402_protocol::{
    payload::AccountSignatures,
    sponsored::{Header, SignedTransaction, Sponsor, TransactionPayload},
};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::base::{
    common::cbor::cbor_encode,
    id::types::AccountKeys,
    protocol_level_tokens::{TokenAmount, TokenOperations, operations},
    transactions::{ExactSizeTransactionSigner, TransactionSigner},
};

use super::Signable;
use crate::{codec, parameters::Token};

/// A transfer to be sponsored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who receives it.
    pub to: AccountAddress,
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// When the chain must no longer take it; whole seconds count.
    pub expires_at: DateTime<Utc>,
    /// Who pays the fee.
    pub sponsor: AccountAddress,
}

/// An order of an account with a sequence number, not signed yet; the token is that of the asset.
pub(crate) fn write(
    order: &Order,
    (sender, nonce): (AccountAddress, u64),
    token: Option<&Token>,
    keys: &AccountKeys,
) -> SignedTransaction {
    let (payload, execution) = match token {
        None => {
            let (to_address, amount) = (order.to.to_string(), order.amount.units());
            (TransactionPayload::Transfer { to_address, amount }, CCD_TRANSFER)
        }
        Some(token) => {
            let amount = TokenAmount::from_raw(order.amount.units(), token.decimals);
            let transfer = operations::transfer_tokens(codec::sdk_address(&order.to), amount);
            let operations = TokenOperations::from_iter([transfer]);
            let cbor = cbor_encode(&operations).expect("a transfer has a CBOR form");
            let (token_id, operations) = (token.id.as_ref().to_owned(), hex::encode(cbor));
            let payload = TransactionPayload::TokenUpdate { token_id, operations };
            (payload, TOKEN_UPDATE + TOKEN_TRANSFER)
        }
    };
    let header = Header {
        sender: sender.to_string(),
        nonce,
        expiry: u64::try_from(order.expires_at.timestamp()).unwrap_or_default(),
        execution_energy_amount: Some(execution),
        num_signatures: u64::from(keys.num_keys()),
        sponsor: Sponsor { account: order.sponsor.to_string(), num_signatures: 1 },
    };
    SignedTransaction::new(header, payload, AccountSignatures::new())
}

/// A transaction with the signatures of these keys over what it says now.
///
/// # Errors
/// Where it says what is no transaction.
pub(crate) fn sign(
    mut transaction: SignedTransaction,
    keys: &AccountKeys,
) -> Result<SignedTransaction, Rejection> {
    let hash = Signable::read(&transaction)?.hash_to_sign;
    let credentials = keys.sign_transaction_hash(&hash).signatures.into_iter();
    transaction.signatures.sender = credentials
        .map(|(credential, keys)| {
            let keys = keys.into_iter().map(|(key, by)| (key.0, hex::encode(by.sig)));
            (credential.index, keys.collect())
        })
        .collect();
    Ok(transaction)
}
