//! What the journal remembers of one payment: enough to finish it, later a receipt.
//!
//! A record is written before anything of its payment leaves the payer. Once it is closed the
//! signed bytes and the payment header, which holds the presentation, are dropped from it. How it
//! looks on disk is said in `record/file.rs`.

mod file;

use std::fmt;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_protocol::facilitator::SettleResponse;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payer::wallet::SignedTransfer;

/// One payment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "file::Record", into = "file::Record")]
pub struct Record {
    /// What was asked for.
    pub resource: Resource,
    /// Where it is paid.
    pub network: NetworkId,
    /// Who pays.
    pub payer: AccountAddress,
    /// Who is paid.
    pub pay_to: AccountAddress,
    /// In what.
    pub asset: Asset,
    /// Smallest units.
    pub amount: Amount,
    /// The offer as it came.
    pub offer: Value,
    /// What pays.
    pub means: Means,
    /// After this the chain does not take it any more.
    pub expires_at: DateTime<Utc>,
    /// When it was signed.
    pub created_at: DateTime<Utc>,
    /// What it takes to finish the payment; dropped when it is closed.
    pub open: Option<Open>,
    /// Where it stands.
    pub state: State,
}

/// What pays: one for each way of paying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// A transfer that the payer sends itself.
    Transfer {
        /// How the chain calls it.
        hash: TransactionHash,
        /// The binding digest in its memo.
        digest: Digest,
    },
    /// A transaction that the payer signs, and a sponsor signs and sends.
    Sponsored {
        /// What the payer signed.
        digest: Digest,
        /// Who pays the fee.
        sponsor: AccountAddress,
        /// The payer's: the chain takes one transaction for each.
        sequence_number: u64,
    },
}

/// What a payment is called before it is known how the chain calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Id {
    /// The hash of its transfer.
    Hash(TransactionHash),
    /// What was signed for a sponsor. The hash comes of the sponsor's signature as well.
    Digest(Digest),
}

/// What it takes to finish a payment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Open {
    /// Decides the header's name.
    pub x402_version: X402Version,
    /// What may be sent again; absent where a sponsor sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<SignedTransfer>,
    /// The payment header, byte for byte as it is presented each time.
    pub header: String,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum State {
    /// Signed; perhaps sent; not accepted yet.
    Unfinished,
    /// The resource server refuses it. It may be presented again.
    Refused {
        /// The code that it gave.
        code: String,
        /// When it first gave it.
        since: DateTime<Utc>,
    },
    /// Closed: accepted, and the content was received.
    Paid {
        /// When.
        at: DateTime<Utc>,
        /// What the resource server said about the settlement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<SettleResponse>,
    },
    /// Closed without the content.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

impl Record {
    /// What it is called in the journal and in what is told of it.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.means {
            Means::Transfer { hash, .. } => Id::Hash(*hash),
            Means::Sponsored { digest, .. } => Id::Digest(*digest),
        }
    }

    /// How the chain calls what paid; of a sponsored payment that is known from the receipt alone.
    #[must_use]
    pub fn transaction(&self) -> Option<TransactionHash> {
        match (&self.means, &self.state) {
            (Means::Transfer { hash, .. }, _) => Some(*hash),
            (Means::Sponsored { .. }, State::Paid { receipt: Some(receipt), .. }) => {
                receipt.transaction.parse().ok()
            }
            (Means::Sponsored { .. }, _) => None,
        }
    }

    /// The sequence number that was signed for, where a sponsor sends.
    #[must_use]
    pub fn sequence_number(&self) -> Option<u64> {
        match &self.means {
            Means::Transfer { .. } => None,
            Means::Sponsored { sequence_number, .. } => Some(*sequence_number),
        }
    }

    /// Whether it still has to be finished.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Unfinished | State::Refused { .. })
    }

    /// The record closed in this state, without what only an open one needs.
    #[must_use]
    pub fn closed(mut self, state: State) -> Self {
        self.open = None;
        self.state = state;
        self
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => write!(f, "transfer {hash}"),
            Self::Digest(digest) => write!(f, "sponsored payment {digest}"),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("resource", &self.resource)
            .field("id", &self.id())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
