//! Requests and answers of a facilitator's `/verify`, `/settle`, `/supported` and `/health`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::version::X402Version;

/// Body of `/verify` and `/settle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifyRequest {
    /// 1 or 2.
    pub x402_version: X402Version,
    /// What the payer sent.
    pub payment_payload: Value,
    /// What the resource server asks for.
    pub payment_requirements: Value,
}

/// Answer of `/verify`. HTTP 200 also where the payment is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifyResponse {
    /// Whether the resource may be given for it.
    pub is_valid: bool,
    /// Stable code; a text, because other facilitators have codes of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_reason: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_message: Option<String>,
    /// The account that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Ours: `verification`, `statusUrl`, `reservation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// Answer of `/settle`. `transaction` and `network` are there also on failure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse {
    /// Whether the payment is final and used up by this call.
    pub success: bool,
    /// Stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The account that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Transaction hash; empty where there is none.
    #[serde(default)]
    pub transaction: String,
    /// As the request named it.
    #[serde(default)]
    pub network: String,
    /// Smallest units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Ours: `verification`, `statusUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// Answer of `/supported`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SupportedResponse {
    /// Ways to pay.
    pub kinds: Vec<SupportedKind>,
    /// Names of extensions (v2).
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Accounts that sign for payers, by network (v2).
    #[serde(default)]
    pub signers: BTreeMap<String, Vec<String>>,
}

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SupportedKind {
    /// 1 or 2.
    pub x402_version: X402Version,
    /// `exact`.
    pub scheme: String,
    /// As that version names it.
    pub network: String,
    /// `assetTransferMethod` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// Answer of `/v1/assets/{asset}`, a route of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssetResponse {
    /// The network that it is on.
    pub network: String,
    /// As the chain spells it.
    pub asset: String,
    /// Decimals of its amounts.
    pub decimals: u8,
}

/// Answer of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthResponse {
    /// `ok`, or what is amiss.
    pub status: String,
}
