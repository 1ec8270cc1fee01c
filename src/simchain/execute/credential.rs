//! A credential deployment: opens a new account. It is free, and its proofs were checked when
//! it was admitted.

use concordium_rust_sdk::{
    base::{
        id::types::{AccountCredential, CredentialType, account_address_from_registration_id},
        transactions::cost,
    },
    common::to_bytes,
    v2::generated::{
        self, AccountCreationDetails, CredentialRegistrationId, block_item_summary::Details,
    },
};

use super::{Context, Included, Verdict};
use crate::{
    identity::Deployment,
    state::{AccountState, Credential, Ledger, Opening},
};

/// Opens the account of the credential, unless there is one.
pub(super) fn deploy(ledger: &mut Ledger, at: &Context, message: &Deployment) -> Verdict {
    let AccountCredential::Normal { cdi } = &message.credential else { return Verdict::Never };
    let keys = u16::try_from(cdi.values.cred_key_info.keys.len()).unwrap_or(u16::MAX);
    let energy = cost::deploy_credential(CredentialType::Normal, keys).energy;
    if energy > at.energy_left {
        return Verdict::Later;
    }
    let registration_id = &cdi.values.cred_id;
    let address = account_address_from_registration_id(registration_id);
    if ledger.find(&address).is_some() || ledger.find_credential(registration_id).is_some() {
        return Verdict::Never;
    }
    let credential = Credential::Normal {
        cdv: cdi.values.clone(),
        commitments: cdi.proofs.id_proofs.commitments.clone(),
    };
    ledger.open(Opening { address, credential, state: AccountState::new(0) }, at.height);
    let details = Details::AccountCreation(AccountCreationDetails {
        credential_type: generated::CredentialType::Normal.into(),
        address: Some(address.into()),
        reg_id: Some(CredentialRegistrationId { value: to_bytes(registration_id) }),
    });
    Verdict::Included(Box::new(Included { details, energy, fee: 0 }))
}
