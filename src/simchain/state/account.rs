//! One account: what never changes (address, credential, keys) and what blocks change.

use std::{collections::BTreeMap, sync::Arc};

use concordium_rust_sdk::{
    base::{
        contracts_common::{AccountAddress, AccountThreshold},
        id::{
            constants::{ArCurve, AttributeKind},
            types::{AccountCredentialWithoutProofs, CredentialPublicKeys},
        },
        transactions::AccountAccessStructure,
    },
    common::types::CredentialIndex,
};

use super::{
    token::{Holding, TokenIx},
    versions::Versions,
};

/// A credential as the chain keeps it: without its proofs.
pub(crate) type Credential = AccountCredentialWithoutProofs<ArCurve, AttributeKind>;

/// Position of an account, in the order of creation; also its index on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountIx(pub(crate) usize);

/// What blocks change about an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountState {
    /// The sequence number that its next transaction must have.
    pub(crate) sequence: u64,
    /// MicroCCD.
    pub(crate) balance: u64,
    /// Each token that the account has ever had to do with.
    pub(crate) tokens: BTreeMap<TokenIx, Holding>,
    /// Keys that have replaced those of the credential.
    pub(crate) keys: Option<Arc<CredentialPublicKeys>>,
}

impl AccountState {
    /// An account that never did anything.
    pub(crate) fn new(balance: u64) -> Self {
        Self { sequence: 1, balance, tokens: BTreeMap::new(), keys: None }
    }
}

/// An account with its history.
pub(crate) struct Account {
    pub(crate) address: AccountAddress,
    pub(crate) credential: Credential,
    /// Keys that the account was opened with.
    keys: Arc<AccountAccessStructure>,
    pub(crate) state: Versions<AccountState>,
}

impl Account {
    pub(crate) fn new(
        address: AccountAddress,
        credential: Credential,
        height: u64,
        state: AccountState,
    ) -> Self {
        let keys = Arc::new(access_structure(public_keys(&credential)));
        Self { address, credential, keys, state: Versions::new(height, state) }
    }

    /// The keys that sign for it now.
    pub(crate) fn keys(&self) -> Arc<AccountAccessStructure> {
        match &self.state.latest().keys {
            None => Arc::clone(&self.keys),
            Some(keys) => Arc::new(access_structure(keys)),
        }
    }
}

fn public_keys(credential: &Credential) -> &CredentialPublicKeys {
    match credential {
        Credential::Initial { icdv } => &icdv.cred_account,
        Credential::Normal { cdv, .. } => &cdv.cred_key_info,
    }
}

fn access_structure(keys: &CredentialPublicKeys) -> AccountAccessStructure {
    let keys = BTreeMap::from([(CredentialIndex { index: 0 }, keys.clone())]);
    AccountAccessStructure { keys, threshold: AccountThreshold::ONE }
}
