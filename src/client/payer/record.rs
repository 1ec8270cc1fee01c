//! What the journal remembers of one payment: enough to finish it, later a receipt.
//!
//! A record is written before the transfer is sent. Once it is closed the signed bytes and the
//! payment header, which holds the presentation, are dropped from it.

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

/// The only version of records so far.
pub const VERSION: u32 = 1;

/// One payment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
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
    /// The binding digest.
    pub digest: Digest,
    /// The transfer.
    pub hash: TransactionHash,
    /// After this the chain does not take the transfer any more.
    pub expires_at: DateTime<Utc>,
    /// When it was signed.
    pub created_at: DateTime<Utc>,
    /// What it takes to finish the payment; dropped when it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// Where it stands.
    pub state: State,
}

/// What it takes to finish a payment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Open {
    /// Decides the header's name.
    pub x402_version: X402Version,
    /// What may be sent again.
    pub transfer: SignedTransfer,
    /// The payment header, byte for byte as it is presented each time.
    pub header: String,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum State {
    /// Signed; perhaps sent; not accepted yet.
    Unfinished,
    /// Sent, and the resource server refuses it. It may be presented again.
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

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("resource", &self.resource)
            .field("hash", &self.hash)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
