//! PaymentRequirements of both versions, kept as they came beside a typed view of them.
//!
//! The raw JSON is kept because the binding digest commits to every field of it, also to those that
//! nobody here reads.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::code::ReasonCode;
use crate::identity::IdentityRequirement;
use crate::presented::{Refused, without_values};
use crate::version::X402Version;

/// The scheme that this software serves.
pub const SCHEME_EXACT: &str = "exact";
/// `extra.assetTransferMethod` of a payment by transaction hash. A sponsored payment has none.
pub const METHOD_TRANSACTION_HASH: &str = "transaction-hash";
/// `extra.paymentFlow` of a payment by transaction hash.
pub const FLOW_UPFRONT: &str = "upfront";

/// 2^53: below it a double counts every integer.
const NUMBER_BOUND: f64 = 9_007_199_254_740_992.0;

/// What a resource costs, as one offer of a 402.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentRequirements {
    raw: Value,
    fields: Fields,
}

/// The fields of an offer in one shape for both versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields {
    /// `exact`.
    pub scheme: String,
    /// CAIP-2 id or v1 name.
    pub network: String,
    /// `CCD` or the id of a protocol-level token.
    pub asset: String,
    /// Decimal text of smallest units (v1: `maxAmountRequired`).
    pub amount: String,
    /// The account that must receive it, Base58Check.
    pub pay_to: String,
    /// How long the payer may take.
    pub max_timeout_seconds: u64,
    /// URL of the resource (v1 only; v2 says it beside the requirements).
    pub resource: Option<String>,
    /// What the ways of paying add.
    pub extra: Extra,
}

/// `extra` of an offer. Fields of other schemes are left unread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// `transaction-hash`; absent for a sponsored transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_transfer_method: Option<String>,
    /// The facilitator's account that pays the fee of a sponsored transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_payer: Option<String>,
    /// `upfront`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_flow: Option<String>,
    /// The gate's challenge, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// When the payment is used up: `verify` (default) or `settle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consume_on: Option<String>,
    /// Method of the request that is paid for; `GET` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// URL of the resource, said by the server and so not by the payer alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Decimals of the asset, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// What the payer must prove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityRequirement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireV1 {
    scheme: String,
    network: String,
    max_amount_required: String,
    resource: String,
    pay_to: String,
    max_timeout_seconds: u64,
    asset: String,
    #[serde(default)]
    extra: Option<Extra>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireV2 {
    scheme: String,
    network: String,
    asset: String,
    amount: String,
    pay_to: String,
    max_timeout_seconds: u64,
    #[serde(default)]
    extra: Option<Extra>,
}

impl PaymentRequirements {
    /// Reads an offer of the given version.
    ///
    /// # Errors
    /// `invalid_payment_requirements` where a field is missing or of the wrong type, or where a
    /// number is one that not every reader of JSON keeps: two sides would hash it differently.
    pub fn decode(version: X402Version, raw: Value) -> Result<Self, Refused> {
        if !has_portable_numbers(&raw) {
            let detail = "a number reaches 2^53; write it as a text";
            return Err(Refused::new(ReasonCode::InvalidPaymentRequirements, detail));
        }
        let fields = match version {
            X402Version::V1 => WireV1::deserialize(&raw).map(Fields::from),
            X402Version::V2 => WireV2::deserialize(&raw).map(Fields::from),
        };
        let fields = fields.map_err(|error| {
            Refused::new(ReasonCode::InvalidPaymentRequirements, without_values(&error))
        })?;
        Ok(Self { raw, fields })
    }

    /// The JSON as it came.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// The typed view.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// Whether every number fits a double without losing digits, as RFC 8785 wants it (I-JSON).
fn has_portable_numbers(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|n| n.abs() < NUMBER_BOUND),
        Value::Array(items) => items.iter().all(has_portable_numbers),
        Value::Object(fields) => fields.values().all(has_portable_numbers),
        _ => true,
    }
}

impl From<WireV1> for Fields {
    fn from(wire: WireV1) -> Self {
        Self {
            scheme: wire.scheme,
            network: wire.network,
            asset: wire.asset,
            amount: wire.max_amount_required,
            pay_to: wire.pay_to,
            max_timeout_seconds: wire.max_timeout_seconds,
            resource: Some(wire.resource),
            extra: wire.extra.unwrap_or_default(),
        }
    }
}

impl From<WireV2> for Fields {
    fn from(wire: WireV2) -> Self {
        Self {
            scheme: wire.scheme,
            network: wire.network,
            asset: wire.asset,
            amount: wire.amount,
            pay_to: wire.pay_to,
            max_timeout_seconds: wire.max_timeout_seconds,
            resource: None,
            extra: wire.extra.unwrap_or_default(),
        }
    }
}
