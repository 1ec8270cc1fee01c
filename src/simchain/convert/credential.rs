//! Credentials as GetAccountInfo shows them: keys, policy and the commitments that proofs are
//! verified against.

use concordium_rust_sdk::{
    base::id::{
        constants::{ArCurve, AttributeKind},
        types::{
            CredentialDeploymentCommitments, CredentialPublicKeys, Policy, VerifyKey, YearMonth,
        },
    },
    common::{Serial, to_bytes},
    v2::generated::{self, account_credential::CredentialValues, account_verify_key::Key},
};

use crate::state::Credential;

/// The credential; `keys` are those that have replaced its own.
pub(super) fn credential(
    credential: &Credential,
    keys: Option<&CredentialPublicKeys>,
) -> generated::AccountCredential {
    let registration_id = to_bytes(credential.cred_id());
    let cred_id = Some(generated::CredentialRegistrationId { value: registration_id });
    let values = match credential {
        Credential::Initial { icdv } => {
            CredentialValues::Initial(generated::InitialCredentialValues {
                keys: Some(public_keys(keys.unwrap_or(&icdv.cred_account))),
                cred_id,
                ip_id: Some(generated::IdentityProviderIdentity { value: icdv.ip_identity.0 }),
                policy: Some(policy(&icdv.policy)),
            })
        }
        Credential::Normal { cdv, commitments } => {
            let guardians = cdv.ar_data.iter().map(|(id, data)| {
                let enc_id_cred_pub_share = to_bytes(data);
                (u32::from(*id), generated::ChainArData { enc_id_cred_pub_share })
            });
            let threshold = u32::from(u8::from(cdv.threshold));
            CredentialValues::Normal(generated::NormalCredentialValues {
                keys: Some(public_keys(keys.unwrap_or(&cdv.cred_key_info))),
                cred_id,
                ip_id: Some(generated::IdentityProviderIdentity { value: cdv.ip_identity.0 }),
                policy: Some(policy(&cdv.policy)),
                ar_threshold: Some(generated::ArThreshold { value: threshold }),
                ar_data: guardians.collect(),
                commitments: Some(self::commitments(commitments)),
            })
        }
    };
    generated::AccountCredential { credential_values: Some(values) }
}

fn public_keys(keys: &CredentialPublicKeys) -> generated::CredentialPublicKeys {
    let threshold = generated::SignatureThreshold { value: u32::from(u8::from(keys.threshold)) };
    let keys = keys.keys.iter().map(|(index, key)| {
        let VerifyKey::Ed25519VerifyKey(key) = key;
        let key = Some(Key::Ed25519Key(key.as_bytes().to_vec()));
        (u32::from(index.0), generated::AccountVerifyKey { key })
    });
    generated::CredentialPublicKeys { keys: keys.collect(), threshold: Some(threshold) }
}

fn policy(policy: &Policy<ArCurve, AttributeKind>) -> generated::Policy {
    let attributes = policy.policy_vec.iter().map(|(tag, value)| {
        let text = value.to_string();
        (u32::from(tag.0), text.into_bytes())
    });
    generated::Policy {
        created_at: Some(month(policy.created_at)),
        valid_to: Some(month(policy.valid_to)),
        attributes: attributes.collect(),
    }
}

fn month(month: YearMonth) -> generated::YearMonth {
    generated::YearMonth { year: u32::from(month.year), month: u32::from(month.month) }
}

fn commitments(
    commitments: &CredentialDeploymentCommitments<ArCurve>,
) -> generated::CredentialCommitments {
    let attributes =
        commitments.cmm_attributes.iter().map(|(tag, value)| (u32::from(tag.0), commitment(value)));
    let coefficients = commitments.cmm_id_cred_sec_sharing_coeff.iter().map(commitment);
    generated::CredentialCommitments {
        prf: Some(commitment(&commitments.cmm_prf)),
        cred_counter: Some(commitment(&commitments.cmm_cred_counter)),
        max_accounts: Some(commitment(&commitments.cmm_max_accounts)),
        attributes: attributes.collect(),
        id_cred_sec_sharing_coeff: coefficients.collect(),
    }
}

fn commitment(commitment: &impl Serial) -> generated::Commitment {
    generated::Commitment { value: to_bytes(commitment) }
}
