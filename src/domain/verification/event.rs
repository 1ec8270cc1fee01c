//! What has happened to a Verification.
//!
//! Each event that ends the wait for a transaction names network and transaction again, so that an
//! index of what waits can be kept from events alone.

use std::sync::Arc;

use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::{Digest, ReservationId, TransactionHash, VerificationId};
use crate::listing::Listing;
use crate::payment::Payment;
use crate::rejection::Rejection;
use crate::tenant::TenantId;
use crate::transaction::BlockRef;

/// Somebody handed in a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerificationRequested {
    /// Its id.
    pub verification: VerificationId,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "TenantId::is_default")]
    pub tenant: TenantId,
    /// What was handed in, without the proofs.
    // Shared: everybody who follows the log has a copy.
    pub payment: Arc<Payment>,
    /// SHA-256 of the request's body: tells a repeat from another request.
    pub body: Digest,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// What is noted of the resource, where its seller wants it to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Arc<Listing>>,
}

/// The presentation holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IdentityVerified {
    /// What was proven, without what was revealed.
    pub proven: Proven,
}

/// What a presentation that holds has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proven {
    /// SHA-256 of the presentation.
    pub presentation: Digest,
    /// The identity provider that issued the credential.
    pub issuer: u32,
    /// SHA-256 of what the statement reveals, where it reveals anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revealed: Option<Digest>,
}

/// The account's signatures over the binding digest hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BindingVerified {
    /// What was signed.
    pub digest: Digest,
}

/// The sponsor has signed the transaction, too: from now on it is sent, these very bytes, until it is
/// final or has expired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TransactionSigned {
    /// Its hash.
    pub transaction: TransactionHash,
    /// The finished block item as nodes take it, in hex.
    pub block_item: String,
    /// Whose budget the fee is on.
    #[serde(default, skip_serializing_if = "TenantId::is_default")]
    pub tenant: TenantId,
    /// MicroCCD that it takes of the budget.
    pub fee_max: Amount,
}

/// The transfer is final and right, while the payer's proofs are still being checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TransferFinalized {
    /// The transaction.
    pub transaction: TransactionHash,
    /// The block that holds it.
    pub block: BlockRef,
}

/// The payment is good, final and claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerificationConfirmed {
    /// Whose claim on the transaction this is.
    pub verification: VerificationId,
    /// Of the transaction.
    pub network: NetworkId,
    /// The transaction.
    pub transaction: TransactionHash,
    /// The block that holds it.
    pub block: BlockRef,
}

/// The payment is refused for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerificationFailed {
    /// Its id.
    pub verification: VerificationId,
    /// Of the transaction.
    pub network: NetworkId,
    /// The transaction.
    pub transaction: TransactionHash,
    /// Why.
    pub rejection: Rejection,
}

/// A resource server holds the payment until it has answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentReserved {
    /// Known to the holder alone.
    pub reservation: ReservationId,
    /// When the hold lapses by itself.
    pub until: DateTime<Utc>,
}

/// The holder gave it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentReleased {
    /// The hold that ended.
    pub reservation: ReservationId,
}

/// The payment is used up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentConsumed {
    /// By what.
    pub by: Consumer,
}

/// What uses a payment up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// A valid `/verify` of a payment with `consumeOn = "verify"`.
    Verify,
    /// A successful `/settle`.
    Settle,
}
