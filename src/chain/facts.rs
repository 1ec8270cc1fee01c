//! What the check of a presentation needs to know of the chain, asked when it is not known yet.
//!
//! Says nothing about the presentation itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ccd402_domain::transaction::BlockRef;
use chrono::{DateTime, Utc};
use concordium_rust_sdk::{
    base::{
        base::CredentialRegistrationID,
        id::{constants::ArCurve, types::GlobalContext},
    },
    types::AccountInfo,
};
use tokio::time::Instant;

use crate::{accounts::Accounts, block, error::Error, nodes::Nodes, parameters::Parameters};

/// How long the chain's time is taken to be as it was: credentials end with a month.
const TIME_LIFE: Duration = Duration::from_secs(3);

/// What the nodes have said, as long as it counts.
pub(crate) struct Facts {
    nodes: Nodes,
    pub(crate) accounts: Accounts,
    pub(crate) parameters: Parameters,
    time: Mutex<Option<(DateTime<Utc>, Instant)>>,
}

/// The chain as one credential is checked against it.
pub(crate) struct Known {
    /// The account that the credential was deployed to, if there is one.
    pub(crate) account: Option<Arc<AccountInfo>>,
    /// The time of the last finalized block, a few seconds old at most.
    pub(crate) time: DateTime<Utc>,
    pub(crate) parameters: Arc<GlobalContext<ArCurve>>,
}

impl Facts {
    /// Nothing is known at first.
    pub(crate) fn new(nodes: Nodes) -> Self {
        let (accounts, parameters) = (Accounts::new(nodes.clone()), Parameters::new(nodes.clone()));
        Self { nodes, accounts, parameters, time: Mutex::default() }
    }

    /// What concerns a credential, if all of it is known.
    pub(crate) fn known(&self, credential: &CredentialRegistrationID) -> Option<Known> {
        Some(Known {
            account: Some(self.accounts.known_of_credential(credential)?),
            time: self.known_time()?,
            parameters: self.parameters.known_cryptographic()?,
        })
    }

    /// What concerns a credential, asked where it is not known.
    pub(crate) async fn learn(
        &self,
        credential: &CredentialRegistrationID,
    ) -> Result<Known, Error> {
        Ok(Known {
            account: self.accounts.of_credential(credential).await?,
            time: match self.known_time() {
                Some(time) => time,
                None => self.last_final().await?.time,
            },
            parameters: self.parameters.cryptographic().await?,
        })
    }

    /// The last finalized block, asked now.
    pub(crate) async fn last_final(&self) -> Result<BlockRef, Error> {
        let block = block::last_final(&self.nodes).await?;
        self.time().replace((block.time, Instant::now() + TIME_LIFE));
        Ok(block)
    }

    fn known_time(&self) -> Option<DateTime<Utc>> {
        self.time().filter(|(_, until)| *until > Instant::now()).map(|(time, _)| time)
    }

    fn time(&self) -> MutexGuard<'_, Option<(DateTime<Utc>, Instant)>> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
