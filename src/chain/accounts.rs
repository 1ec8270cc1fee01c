//! What the chain knows about accounts, remembered for a few seconds.
//!
//! Only accounts that exist are remembered: one that is missing may appear with the next block.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ccd402_domain::account::AccountAddress;
use concordium_rust_sdk::{
    base::{base::CredentialRegistrationID, common::to_bytes},
    types::AccountInfo,
    v2::{AccountIdentifier, BlockIdentifier},
};
use tokio::time::Instant;

use crate::{
    codec,
    error::{Error, Failure},
    nodes::Nodes,
};

/// Accounts that are remembered at once.
const ACCOUNTS_MAX: usize = 1024;

/// How long an account is taken to be as it was: changed keys count at most this much later.
const LIFE: Duration = Duration::from_secs(3);

/// Accounts by address or by credential.
pub(crate) struct Accounts {
    nodes: Nodes,
    known: Mutex<HashMap<Key, Known>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Address(AccountAddress),
    Credential(Vec<u8>),
}

struct Known {
    until: Instant,
    account: Arc<AccountInfo>,
}

impl Accounts {
    /// Nothing is known at first.
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { nodes, known: Mutex::default() }
    }

    /// The account at an address, if there is one.
    pub(crate) async fn at(
        &self,
        address: &AccountAddress,
    ) -> Result<Option<Arc<AccountInfo>>, Error> {
        let identifier = AccountIdentifier::Address(codec::sdk_address(address));
        self.known_or_asked(Key::Address(*address), identifier).await
    }

    /// The account that a credential was deployed to, if that is remembered.
    pub(crate) fn known_of_credential(
        &self,
        credential: &CredentialRegistrationID,
    ) -> Option<Arc<AccountInfo>> {
        self.known(&Key::Credential(to_bytes(credential)), Instant::now())
    }

    /// The account that a credential was deployed to, if there is one.
    pub(crate) async fn of_credential(
        &self,
        credential: &CredentialRegistrationID,
    ) -> Result<Option<Arc<AccountInfo>>, Error> {
        let identifier = AccountIdentifier::CredId(*credential);
        self.known_or_asked(Key::Credential(to_bytes(credential)), identifier).await
    }

    async fn known_or_asked(
        &self,
        key: Key,
        identifier: AccountIdentifier,
    ) -> Result<Option<Arc<AccountInfo>>, Error> {
        let now = Instant::now();
        if let Some(account) = self.known(&key, now) {
            return Ok(Some(account));
        }
        let asked = self.nodes.ask("GetAccountInfo", |mut client| async move {
            Ok(client.get_account_info(&identifier, BlockIdentifier::LastFinal).await?.response)
        });
        let account = match asked.await {
            Ok(account) => Arc::new(account),
            Err(Failure::NotFound) => return Ok(None),
            Err(failure) => return Err(failure.into_error("an account")),
        };
        self.with_known(|known| {
            if known.len() >= ACCOUNTS_MAX {
                known.retain(|_, found| found.until > now);
            }
            if known.len() < ACCOUNTS_MAX {
                let account = Arc::clone(&account);
                known.insert(key, Known { until: now + LIFE, account });
            }
        });
        Ok(Some(account))
    }

    fn known(&self, key: &Key, now: Instant) -> Option<Arc<AccountInfo>> {
        self.with_known(|known| {
            known.get(key).filter(|found| found.until > now).map(|found| Arc::clone(&found.account))
        })
    }

    fn with_known<T>(&self, look: impl FnOnce(&mut HashMap<Key, Known>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
