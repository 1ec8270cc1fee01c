//! The payer's side: signs a transfer whose fee another account pays, in the JSON of Concordium's SDKs.
//!
//! Nothing is sent: the transaction is finished, and sent, by whoever sponsors it.

use std::collections::BTreeMap;

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    sponsored::energy::{CCD_TRANSFER, TOKEN_TRANSFER, TOKEN_UPDATE},
};
use ccd402_protocol::{
    payload::AccountSignatures,
    sponsored::{Header, SignedTransaction, Sponsor, TransactionPayload},
};
use chrono::{DateTime, Utc};
use concordium_rust_sdk::base::{
    base::Nonce,
    common::{
        cbor::cbor_encode,
        types::{TransactionSignature, TransactionTime},
    },
    contracts_common::{AccountAddress as SdkAddress, Amount as SdkAmount},
    id::types::AccountKeys,
    protocol_level_tokens::{TokenAmount, TokenOperations, operations},
    transactions::{
        ExactSizeTransactionSigner,
        construct::{self, PreAccountTransaction},
    },
};

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

/// Signs an order of an account with a sequence number; the token is that of the asset.
pub(crate) fn sign(
    order: &Order,
    (sender, number): (SdkAddress, u64),
    token: Option<&Token>,
    keys: &AccountKeys,
) -> SignedTransaction {
    let seconds = u64::try_from(order.expires_at.timestamp()).unwrap_or_default();
    let (built, payload, execution) = built(order, (sender, number, seconds), token, keys);
    let mut extended = built.extend();
    extended
        .add_sponsor(codec::sdk_address(&order.sponsor), 1)
        .expect("a transaction without a sponsor takes one");
    extended.sign(keys);
    let signature = extended
        .sender_signature
        .clone()
        .unwrap_or_else(|| TransactionSignature { signatures: BTreeMap::new() });
    let header = Header {
        sender: sender.to_string(),
        nonce: number,
        expiry: seconds,
        execution_energy_amount: Some(execution),
        num_signatures: u64::from(keys.num_keys()),
        sponsor: Sponsor { account: order.sponsor.to_string(), num_signatures: 1 },
    };
    SignedTransaction::new(header, payload, wire(signature))
}

/// The transaction before anybody has signed it, its payload on the wire, and what it takes.
fn built(
    order: &Order,
    (sender, number, seconds): (SdkAddress, u64, u64),
    token: Option<&Token>,
    keys: &AccountKeys,
) -> (PreAccountTransaction, TransactionPayload, u64) {
    let to = codec::sdk_address(&order.to);
    let (nonce, expiry) = (Nonce { nonce: number }, TransactionTime::from_seconds(seconds));
    let signatures = keys.num_keys();
    let Some(token) = token else {
        let amount = SdkAmount::from_micro_ccd(order.amount.units());
        let built = construct::transfer(signatures, sender, nonce, expiry, to, amount);
        let payload = TransactionPayload::Transfer {
            to_address: order.to.to_string(),
            amount: order.amount.units(),
        };
        return (built, payload, CCD_TRANSFER);
    };
    let amount = TokenAmount::from_raw(order.amount.units(), token.decimals);
    let operations = TokenOperations::from_iter([operations::transfer_tokens(to, amount)]);
    let payload = TransactionPayload::TokenUpdate {
        token_id: token.id.as_ref().to_owned(),
        operations: hex::encode(cbor_encode(&operations).expect("a transfer has a CBOR form")),
    };
    let id = token.id.clone();
    let built =
        construct::token_update_operations(signatures, sender, nonce, expiry, id, operations);
    let built = built.expect("a transfer has a CBOR form");
    (built, payload, TOKEN_UPDATE + TOKEN_TRANSFER)
}

fn wire(signature: TransactionSignature) -> AccountSignatures {
    let credentials = signature.signatures.into_iter();
    credentials
        .map(|(credential, keys)| {
            let keys = keys.into_iter().map(|(key, by)| (key.0, hex::encode(by.sig)));
            (credential.index, keys.collect())
        })
        .collect()
}
