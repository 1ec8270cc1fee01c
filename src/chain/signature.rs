//! An account's signature over a message, checked against its keys and thresholds on chain.
//!
//! The scheme is the SDK's for messages: the signed hash is SHA-256 of the signer's address, eight
//! zero bytes (no transaction has that sequence number) and the message.

use std::collections::BTreeMap;

use ccd402_domain::{account::AccountAddress, ids::Digest, rejection::Rejection};
use ccd402_protocol::code::ReasonCode;
use concordium_rust_sdk::{
    base::{
        common::types::{CredentialIndex, KeyIndex, Signature},
        contracts_common::SignatureThreshold,
        id::types::{AccountCredentialWithoutProofs, VerifyKey},
    },
    signatures::calculate_message_hash,
    types::AccountInfo,
    v2::Upward,
};

use crate::codec;

/// Signatures that one message may carry: more cost us work, and no account needs them.
const SIGNATURES_MAX: usize = 32;

/// Length of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// Signatures by credential index and key index, each of 128 hex digits.
pub(crate) type Signatures = BTreeMap<u8, BTreeMap<u8, String>>;

/// Checks that the account has signed the digest: every signature holds, and there are enough.
pub(crate) fn check(
    account: Option<&AccountInfo>,
    sender: &AccountAddress,
    digest: &Digest,
    signatures: &Signatures,
) -> Result<(), Rejection> {
    let unbound = |detail: &str| Rejection::new(ReasonCode::PaymentNotBound, detail);
    let account = account.ok_or_else(|| unbound("the signing account does not exist"))?;
    let given: usize = signatures.values().map(BTreeMap::len).sum();
    if given == 0 || given > SIGNATURES_MAX {
        return Err(unbound("between one and 32 signatures must be given"));
    }
    let hash = calculate_message_hash(digest.as_bytes(), codec::sdk_address(sender));
    let mut credentials_signed = 0;
    for (index, signatures) in signatures {
        let credential = account.account_credentials.get(&CredentialIndex { index: *index });
        let Some(Upward::Known(credential)) = credential.map(|c| &c.value) else {
            return Err(unbound("the account has no credential of a signature's index"));
        };
        let (keys, threshold) = keys(credential);
        for (key, signature) in signatures {
            let holds = keys.get(&KeyIndex(*key)).is_some_and(|key| {
                decoded(signature).is_some_and(|signature| key.verify(hash, &signature))
            });
            if !holds {
                return Err(unbound("a signature does not hold for the account's keys"));
            }
        }
        if signatures.len() >= usize::from(u8::from(threshold)) {
            credentials_signed += 1;
        }
    }
    if credentials_signed >= usize::from(u8::from(account.account_threshold)) {
        Ok(())
    } else {
        Err(unbound("fewer have signed than the account demands"))
    }
}

fn keys<C, A>(
    credential: &AccountCredentialWithoutProofs<C, A>,
) -> (&BTreeMap<KeyIndex, VerifyKey>, SignatureThreshold)
where
    C: concordium_rust_sdk::base::curve_arithmetic::Curve,
    A: concordium_rust_sdk::base::id::types::Attribute<C::Scalar>,
{
    match credential {
        AccountCredentialWithoutProofs::Initial { icdv } => {
            (&icdv.cred_account.keys, icdv.cred_account.threshold)
        }
        AccountCredentialWithoutProofs::Normal { cdv, .. } => {
            (&cdv.cred_key_info.keys, cdv.cred_key_info.threshold)
        }
    }
}

fn decoded(text: &str) -> Option<Signature> {
    let mut sig = vec![0; SIGNATURE_BYTES];
    hex::decode_to_slice(text, &mut sig).ok()?;
    Some(Signature { sig })
}
