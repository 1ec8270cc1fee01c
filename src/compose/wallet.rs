//! The payer's port to a wallet, answered by a wallet of the chain.

use async_trait::async_trait;
use ccd402_app::ports::chain::{ChainError, TransactionStatus};
use ccd402_chain::payer;
use ccd402_client::payer::wallet::{
    Error, Numbered, Order, SignedOrder, SignedTransfer, Transfer, TransferStatus, Wallet,
};
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_domain::transaction::Outcome;
use ccd402_protocol::identity::IdentityRequirement;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A wallet of the chain, for the payer.
pub struct ChainWallet(payer::Wallet);

impl ChainWallet {
    /// This wallet.
    #[must_use]
    pub fn new(wallet: payer::Wallet) -> Self {
        Self(wallet)
    }
}

#[async_trait]
impl Wallet for ChainWallet {
    fn address(&self) -> AccountAddress {
        self.0.address()
    }

    fn network(&self) -> &NetworkId {
        self.0.network()
    }

    async fn balance(&self, asset: &Asset) -> Result<Amount, Error> {
        self.0.balance(asset).await.map_err(error)
    }

    async fn decimals(&self, asset: &Asset) -> Result<u8, Error> {
        self.0.decimals(asset).await.map_err(error)
    }

    async fn fee(&self, asset: &Asset) -> Result<Amount, Error> {
        self.0.fee(asset).await.map_err(error)
    }

    async fn prove(
        &self,
        required: &IdentityRequirement,
        challenge: &Digest,
    ) -> Result<Value, Error> {
        let text = self.0.prove(required, challenge).await.map_err(error)?;
        serde_json::from_str(&text).map_err(|error| Error::Refused(error.to_string()))
    }

    async fn prepare_transfer(&self, transfer: &Transfer) -> Result<SignedTransfer, Error> {
        let transfer = payer::Transfer {
            to: transfer.to,
            asset: transfer.asset.clone(),
            amount: transfer.amount,
            memo: Some(transfer.memo),
            expires_at: transfer.expires_at,
        };
        let signed = self.0.build_transfer(&transfer).await.map_err(error)?;
        Ok(SignedTransfer { hash: signed.hash, bytes: signed.bytes })
    }

    async fn send(&self, signed: &SignedTransfer) -> Result<(), Error> {
        self.0.send(&signed.bytes).await.map(drop).map_err(error)
    }

    async fn status(&self, hash: &TransactionHash) -> Result<TransferStatus, Error> {
        Ok(match self.0.status(hash).await.map_err(error)? {
            TransactionStatus::Unknown => TransferStatus::Unknown,
            TransactionStatus::Received | TransactionStatus::Committed => TransferStatus::Pending,
            TransactionStatus::Finalized(found) => match found.outcome {
                Outcome::Transfer(_) => TransferStatus::Finalized,
                Outcome::Rejected { reason } => TransferStatus::Rejected { reason },
                Outcome::NotATransfer => {
                    TransferStatus::Rejected { reason: "it is no transfer".to_owned() }
                }
            },
        })
    }

    async fn next_number(&self) -> Result<u64, Error> {
        self.0.next_sequence_number().await.map_err(error)
    }

    async fn sign_order(&self, order: &Order, number: u64) -> Result<SignedOrder, Error> {
        let order = payer::Order {
            to: order.to,
            asset: order.asset.clone(),
            amount: order.amount,
            expires_at: order.expires_at,
            sponsor: order.sponsor,
        };
        let transaction = self.0.sign_order(&order, number).await.map_err(error)?;
        let digest = self.0.digest_of(&transaction).map_err(error)?;
        Ok(SignedOrder { digest, transaction })
    }

    async fn numbered(&self, number: u64) -> Result<Option<Numbered>, Error> {
        let found = self.0.numbered(number).await.map_err(error)?;
        Ok(found.map(|found| Numbered {
            hash: found.hash,
            sponsor: found.sponsorship.map(|paid| paid.sponsor),
            outcome: found.outcome,
        }))
    }

    async fn time_finalized(&self) -> Result<DateTime<Utc>, Error> {
        self.0.time_finalized().await.map_err(error)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn error(error: payer::Error) -> Error {
    match &error {
        payer::Error::CannotProve(why) => Error::CannotProve(why.clone()),
        payer::Error::Chain(chain) => match ChainError::from(chain.clone()) {
            ChainError::Unavailable(_) | ChainError::Busy => Error::Unavailable(error.to_string()),
            ChainError::NotUnderstood(_) | ChainError::WrongNetwork { .. } => {
                Error::Refused(error.to_string())
            }
        },
        _ => Error::Refused(error.to_string()),
    }
}
