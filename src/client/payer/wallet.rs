//! The port to a wallet: everything of a payment that needs keys or a node.
//!
//! A wallet decides nothing and remembers nothing: whether to pay is the payer's decision, and what
//! was signed is written down in the payer's journal before it is sent.

use async_trait::async_trait;
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_domain::transaction::Outcome;
use ccd402_protocol::identity::IdentityRequirement;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::sponsored::SignedTransaction;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One account that can prove, sign and pay.
#[async_trait]
pub trait Wallet: Send + Sync {
    /// The account.
    fn address(&self) -> AccountAddress;

    /// The network that it is on.
    fn network(&self) -> &NetworkId;

    /// What the account can spend of an asset.
    async fn balance(&self, asset: &Asset) -> Result<Amount, Error>;

    /// Decimals of an asset's amounts; refused where there is no such asset.
    async fn decimals(&self, asset: &Asset) -> Result<u8, Error>;

    /// What the chain will charge for a transfer, in microCCD; rather too much than too little.
    async fn fee(&self, asset: &Asset) -> Result<Amount, Error>;

    /// Proves what is asked with the binding digest as the challenge; gives Concordium's JSON of a
    /// presentation. [`Error::CannotProve`] says why not, in words for the wallet's owner.
    async fn prove(
        &self,
        required: &IdentityRequirement,
        challenge: &Digest,
    ) -> Result<Value, Error>;

    /// Builds and signs a transfer. Nothing is sent.
    async fn prepare_transfer(&self, transfer: &Transfer) -> Result<SignedTransfer, Error>;

    /// Sends it. The chain includes the same bytes once, however often they are sent, so a transfer
    /// that the chain has already is sent with success.
    async fn send(&self, signed: &SignedTransfer) -> Result<(), Error>;

    /// What has become of a transfer.
    async fn status(&self, hash: &TransactionHash) -> Result<TransferStatus, Error>;

    /// The sequence number of the account's next transaction, those that wait for a block counted.
    async fn next_number(&self) -> Result<u64, Error>;

    /// Builds and signs a transfer whose fee a sponsor pays, with this sequence number. Nothing is
    /// sent.
    async fn sign_order(&self, order: &Order, number: u64) -> Result<SignedOrder, Error>;

    /// The final transaction that has this sequence number of the account; `None` while none has.
    /// Its hash is not asked for, because it is not known before the sponsor has signed.
    async fn numbered(&self, number: u64) -> Result<Option<Numbered>, Error>;

    /// Time of the last finalized block: what has expired by then and is unknown to [`status`]
    /// afterwards can never be included.
    ///
    /// [`status`]: Wallet::status
    async fn time_finalized(&self) -> Result<DateTime<Utc>, Error>;
}

/// A transfer to prepare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who receives it.
    pub to: AccountAddress,
    /// Of what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// The binding digest, carried in the memo as `domain::memo` writes it.
    pub memo: Digest,
    /// When the chain must no longer take it; whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// A signed transfer, ready to be sent any number of times. `Debug` shows its hash alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransfer {
    /// How the chain calls it.
    pub hash: TransactionHash,
    /// What `send` takes; only the wallet reads it.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SignedTransfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedTransfer({})", self.hash)
    }
}

/// A transfer to be sponsored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who receives it.
    pub to: AccountAddress,
    /// Of what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// Who pays the fee.
    pub sponsor: AccountAddress,
    /// When the chain must no longer take it; whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// A transfer that its sender has signed and its sponsor has not. `Debug` shows its digest alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedOrder {
    /// What was signed.
    pub digest: Digest,
    /// What is handed in.
    pub transaction: SignedTransaction,
}

impl std::fmt::Debug for SignedOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedOrder({})", self.digest)
    }
}

/// A final transaction of the account, found by its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// How the chain calls it.
    pub hash: TransactionHash,
    /// Who paid the fee in the account's stead.
    pub sponsor: Option<AccountAddress>,
    /// What it did.
    pub outcome: Outcome,
}

/// What has become of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferStatus {
    /// The node has not heard of it.
    Unknown,
    /// Known, not final.
    Pending,
    /// Final, and it moved the amount.
    Finalized,
    /// Final, and it moved nothing.
    Rejected {
        /// Why, as the chain says.
        reason: String,
    },
}

/// Why a wallet could not do it, in words for its owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The node cannot be asked now; what was sent may have arrived.
    #[error("the node cannot be asked: {0}")]
    Unavailable(String),
    /// The credential cannot prove what is asked.
    #[error("{0}")]
    CannotProve(String),
    /// The node will not take the transfer, or what is asked of it cannot be.
    #[error("{0}")]
    Refused(String),
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(input)?).map_err(serde::de::Error::custom)
    }
}
