//! The payment payload of a payment by transaction hash, and the envelopes of both versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::version::X402Version;

/// Signatures of an account: credential index, key index, 128 hex digits.
pub type AccountSignatures = BTreeMap<u8, BTreeMap<u8, String>>;

/// `payload` of a payment by transaction hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferPayload {
    /// 64 hex digits.
    pub tx_hash: String,
    /// The account that paid, Base58Check.
    pub sender: String,
    /// What ties the transfer to this request.
    pub binding: Binding,
    /// Zero-knowledge presentation, in Concordium's own JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presentation: Option<Value>,
}

/// How a transfer is tied to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Where the binding digest is found.
    #[serde(rename = "type")]
    pub kind: BindingKind,
    /// The account's signatures over the digest, for the kind `signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<AccountSignatures>,
    /// The offer that was accepted. v1 has no other place for it; v2 says it in `accepted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Value>,
}

/// Where the binding digest is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BindingKind {
    /// The transfer's memo is the digest.
    Memo,
    /// The presentation's challenge is the digest.
    Presentation,
    /// The sending account's keys signed the digest.
    Signature,
}

/// PaymentPayload of x402 v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayloadV1 {
    /// 1.
    pub x402_version: X402Version,
    /// `exact`.
    pub scheme: String,
    /// The network's name.
    pub network: String,
    /// Depends on the scheme.
    pub payload: Value,
}

/// PaymentPayload of x402 v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayloadV2 {
    /// 2.
    pub x402_version: X402Version,
    /// What is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceInfo>,
    /// The offer that the payer chose, unchanged.
    pub accepted: Value,
    /// Depends on the scheme.
    pub payload: Value,
    /// Extensions, echoed from the 402 and filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// ResourceInfo of x402 v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResourceInfo {
    /// Absolute URL.
    pub url: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media type of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}
