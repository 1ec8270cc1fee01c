//! What has happened to a Key.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{Digest, KeyId};
use crate::key::command::KeyName;
use crate::key::scope::Scopes;
use crate::tenant::TenantId;

/// A key was made. Its secret was shown once and is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeyCreated {
    /// Its id.
    pub key: KeyId,
    /// As whom its holder acts.
    pub tenant: TenantId,
    /// For people.
    pub name: KeyName,
    /// What it allows.
    pub scopes: Scopes,
    /// SHA-256 of the secret, which has 256 random bits: no salt would add anything.
    pub hash: Digest,
    /// How the key's text begins, so that its holder can be told which one it is.
    pub prefix: String,
    /// How much it allows.
    pub limits: Limits,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when it is good; for ever where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeyRevoked {
    /// Which.
    pub key: KeyId,
    /// When.
    pub revoked_at: DateTime<Utc>,
}

/// How much a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests a second, over time.
    pub rate: NonZeroU32,
    /// Requests at once, beyond the rate.
    pub burst: NonZeroU32,
    /// Requests that are being served at the same time.
    pub in_flight: NonZeroU32,
}

impl Default for Limits {
    /// 1,000 a second, 2,000 at once, 1,024 in flight.
    fn default() -> Self {
        let count = |count| NonZeroU32::new(count).expect("it is written here, and not 0");
        Self { rate: count(1_000), burst: count(2_000), in_flight: count(1_024) }
    }
}
