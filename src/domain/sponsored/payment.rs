//! A sponsored payment that meets the nine rules, and what is written down of it once it is held.
//! What the chain makes of it is not known yet.

use ccd402_protocol::network::NetworkId;
use ccd402_protocol::payload::BindingKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::account::AccountAddress;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::binding::Resource;
use crate::challenge::Window;
use crate::ids::{Digest, TransactionHash};
use crate::payment::{ConsumeOn, Payment};

/// A signed transfer that pays an offer, and that we may sponsor.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub resource: Option<Resource>,
}

/// What a [`Payment`] has besides where the facilitator sends it and pays its fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Sponsored {
    /// The payer's sequence number: the chain takes one transaction for each.
    pub sequence_number: u64,
    /// The decimals that a token's amount is written with; absent for CCD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Which account of ours pays the fee.
    pub sponsor: AccountAddress,
    /// What the sponsor is charged for at most.
    pub energy: u64,
    /// MicroCCD that this cost when it was taken in.
    pub fee_max: Amount,
}

impl SponsoredPayment {
    /// The payment as it is written down once it may be sent, as this transaction.
    #[must_use]
    pub fn into_payment(
        self,
        transaction: TransactionHash,
        fee_max: Amount,
        now: DateTime<Utc>,
    ) -> Payment {
        let sponsored = Sponsored {
            sequence_number: self.sequence_number,
            decimals: self.decimals,
            sponsor: self.sponsor,
            energy: self.energy,
            fee_max,
        };
        Payment {
            network: self.network,
            transaction,
            payer: self.payer,
            pay_to: self.pay_to,
            asset: self.asset,
            amount: self.amount,
            resource: self.resource.unwrap_or_else(Resource::unnamed),
            digest: self.digest,
            binding: BindingKind::Signature,
            window: Window { opens_at: now, closes_at: self.expires_at },
            identity: None,
            consume_on: ConsumeOn::Settle,
            sponsored: Some(Box::new(sponsored)),
        }
    }

    /// The sponsored payment that was written down as this, if it is one.
    #[must_use]
    pub fn of(payment: &Payment) -> Option<Self> {
        let sponsored = payment.sponsored.as_deref()?;
        Some(Self {
            network: payment.network.clone(),
            payer: payment.payer,
            sequence_number: sponsored.sequence_number,
            pay_to: payment.pay_to,
            asset: payment.asset.clone(),
            amount: payment.amount,
            decimals: sponsored.decimals,
            sponsor: sponsored.sponsor,
            energy: sponsored.energy,
            expires_at: payment.window.closes_at,
            digest: payment.digest,
            resource: Some(payment.resource.clone()),
        })
    }
}
