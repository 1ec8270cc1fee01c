//! PaymentRequired of both versions: what a 402 says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::payload::ResourceInfo;
use crate::version::X402Version;

/// v1: the body of a 402.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequiredV1 {
    /// 1.
    pub x402_version: X402Version,
    /// Why payment is required, or why the one sent was refused: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Offers, each complete.
    pub accepts: Vec<Value>,
}

/// v2: the header `PAYMENT-REQUIRED` of a 402.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequiredV2 {
    /// 2.
    pub x402_version: X402Version,
    /// As in v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is for sale.
    pub resource: ResourceInfo,
    /// Offers.
    pub accepts: Vec<Value>,
    /// Extensions, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}
