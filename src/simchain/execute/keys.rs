//! New keys for the credential of an account. Who signs from then on is looked up when a transaction
//! is admitted.

use std::sync::Arc;

use concordium_rust_sdk::{
    base::{base::CredentialRegistrationID, id::types::CredentialPublicKeys},
    common::to_bytes,
    v2::generated::{self, account_transaction_effects::Effect, reject_reason::Reason},
};

use super::transaction::Run;

pub(super) fn replace(
    run: &mut Run<'_>,
    credential: &CredentialRegistrationID,
    keys: &CredentialPublicKeys,
) -> Result<Effect, Reason> {
    let id = generated::CredentialRegistrationId { value: to_bytes(credential) };
    if to_bytes(run.ledger.account(run.sender).credential.cred_id()) != id.value {
        return Err(Reason::NonExistentCredentialId(generated::Empty {}));
    }
    run.ledger.edit(run.sender, run.height).keys = Some(Arc::new(keys.clone()));
    Ok(Effect::CredentialKeysUpdated(id))
}
