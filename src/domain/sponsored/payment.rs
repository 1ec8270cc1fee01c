//! A sponsored payment that meets the nine rules. What the chain makes of it is not known yet.

use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::binding::Resource;
use crate::ids::Digest;

/// A signed transfer that pays an offer, and that we may sponsor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SponsoredPayment {
    /// Where it is made.
    pub network: NetworkId,
    /// Who pays.
    pub payer: AccountAddress,
    /// The payer's sequence number: the chain takes one transaction for each.
    pub sequence_number: u64,
    /// Who is paid.
    pub pay_to: AccountAddress,
    /// In what.
    pub asset: Asset,
    /// Exactly how much.
    pub amount: Amount,
    /// The decimals that a token's amount is written with; absent for CCD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Which account of ours pays the fee.
    pub sponsor: AccountAddress,
    /// What the sponsor is charged for at most.
    pub energy: u64,
    /// When no block may include it any more.
    pub expires_at: DateTime<Utc>,
    /// What the payer has signed.
    pub digest: Digest,
    /// For what, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}
