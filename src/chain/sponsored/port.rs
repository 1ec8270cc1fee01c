//! The port `Sponsoring`, answered by a network's nodes and by the sponsors' keys.

use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::{
    chain::{Chain as _, ChainError},
    sponsoring::{Finished, Freshness, Sent, Sponsoring},
};
use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    rejection::Rejection,
    sponsored::{
        energy::Bounds,
        offer::Policy,
        preflight::{AccountState, TokenState},
        rules::SenderSignature,
        transaction::Transaction,
    },
};
use ccd402_protocol::{code::ReasonCode, sponsored::SignedTransaction};

use super::{Signable, Sponsor, sponsor};
use crate::{account::Account, concordium::Concordium, submit::Submitted};

/// The accounts that pay fees on a network.
pub struct Sponsors {
    chain: Arc<Concordium>,
    sponsors: Vec<Sponsor>,
    policy: Policy,
}

impl Sponsors {
    /// These accounts, within these bounds for one transaction.
    #[must_use]
    pub fn new(chain: Arc<Concordium>, sponsors: Vec<Sponsor>, bounds: Bounds) -> Self {
        let policy = Policy {
            network: chain.network().clone(),
            sponsors: sponsors.iter().map(Sponsor::described).collect(),
            bounds,
        };
        Self { chain, sponsors, policy }
    }

    async fn account_of(
        &self,
        address: &AccountAddress,
        freshness: Freshness,
    ) -> Result<Option<Arc<Account>>, ChainError> {
        let ledger = &self.chain.ledger;
        Ok(match freshness {
            Freshness::Known => ledger.account(address).await?,
            Freshness::Now => ledger.account_now(address).await?,
        })
    }
}

#[async_trait]
impl Sponsoring for Sponsors {
    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn read(&self, wire: &SignedTransaction) -> Result<Transaction, Rejection> {
        Signable::read(wire).map(|signable| signable.transaction().clone())
    }

    async fn signature(&self, wire: &SignedTransaction) -> Result<SenderSignature, ChainError> {
        let Ok(signable) = Signable::read(wire) else { return Ok(SenderSignature::DoesNotHold) };
        let sender = signable.transaction().sender;
        let account = self.account_of(&sender, Freshness::Known).await?;
        Ok(signable.signature(account.as_deref()))
    }

    async fn account(
        &self,
        address: &AccountAddress,
        freshness: Freshness,
    ) -> Result<Option<Arc<AccountState>>, ChainError> {
        let account = self.account_of(address, freshness).await?;
        Ok(account.map(|account| Arc::clone(&account.state)))
    }

    async fn token(
        &self,
        asset: &Asset,
        freshness: Freshness,
    ) -> Result<Option<Arc<TokenState>>, ChainError> {
        let ledger = &self.chain.ledger;
        Ok(match freshness {
            Freshness::Known => ledger.token(asset).await?,
            Freshness::Now => ledger.token_now(asset).await?,
        })
    }

    async fn fee(&self, energy: u64) -> Result<Amount, ChainError> {
        Ok(self.chain.ledger.fee(energy).await?)
    }

    async fn sign(
        &self,
        wire: &SignedTransaction,
        holds_for: Option<&Arc<AccountState>>,
    ) -> Result<Result<Finished, Rejection>, ChainError> {
        let signable = match Signable::read(wire) {
            Ok(signable) => signable,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let named = signable.transaction().sponsor;
        let is_named = |sponsor: &&Sponsor| sponsor.described().address.is_alias_of(&named);
        let Some(sponsor) = self.sponsors.iter().find(is_named) else {
            return Ok(Err(Rejection::of(ReasonCode::FeePayerNotManagedByFacilitator)));
        };
        let sender = signable.transaction().sender;
        let Some(sender) = self.account_of(&sender, Freshness::Known).await? else {
            return Ok(Err(Rejection::of(ReasonCode::InvalidSenderSignature)));
        };
        let signed = match holds_for {
            Some(state) if Arc::ptr_eq(state, &sender.state) => sponsor.finish(&signable),
            _ => sponsor.sign(&signable, &sender),
        };
        Ok(signed
            .map(|signed| Finished { hash: signed.hash, block_item: signed.bytes })
            .map_err(|error| Rejection::new(code(&error), error.to_string())))
    }

    async fn send(&self, block_item: &[u8]) -> Result<Sent, ChainError> {
        Ok(match self.chain.send(block_item).await? {
            Submitted::Taken(_) => Sent::Taken,
            Submitted::Refused(why) => Sent::Refused(why),
        })
    }
}

fn code(error: &sponsor::Error) -> ReasonCode {
    match error {
        sponsor::Error::NotSigned => ReasonCode::InvalidSenderSignature,
        sponsor::Error::TooFewStated { .. } => ReasonCode::EnergyOutOfBounds,
        sponsor::Error::OtherSponsor(_) | sponsor::Error::OtherNetwork { .. } => {
            ReasonCode::SponsorMismatch
        }
    }
}
