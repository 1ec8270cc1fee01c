//! The JSON of `/v1/keys`. A key's text is in one answer alone.

use std::num::NonZeroU32;

use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::{KeyName, Terms};
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::Scopes;
use ccd402_domain::key::state::Key;
use ccd402_domain::tenant::TenantId;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/keys`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewKey {
    #[serde(default)]
    pub(crate) tenant: TenantId,
    pub(crate) name: KeyName,
    pub(crate) scopes: Scopes,
    #[serde(default)]
    pub(crate) limits: NewLimits,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Limits of a new key; those that are absent have their defaults.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewLimits {
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) burst: Option<NonZeroU32>,
    pub(crate) in_flight: Option<NonZeroU32>,
}

/// A key, without its secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownKey<'a> {
    pub(crate) id: KeyId,
    pub(crate) prefix: &'a str,
    pub(crate) tenant: &'a TenantId,
    pub(crate) name: &'a KeyName,
    pub(crate) scopes: Scopes,
    pub(crate) limits: Limits,
    pub(crate) created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

/// A key that was made just now, with its text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CreatedKey<'a> {
    #[serde(flatten)]
    pub(crate) shown: ShownKey<'a>,
    pub(crate) key: &'a str,
}

/// A page of keys, oldest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct KeyPage<'a> {
    pub(crate) keys: Vec<ShownKey<'a>>,
    /// For `?after=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<KeyId>,
}

impl NewKey {
    /// What the use case wants to know.
    pub(crate) fn terms(self) -> Terms {
        let Self { tenant, name, scopes, limits, expires_at } = self;
        Terms { tenant, name, scopes, limits: limits.or_default(), expires_at }
    }
}

impl NewLimits {
    fn or_default(&self) -> Limits {
        let default = Limits::default();
        Limits {
            rate: self.rate.unwrap_or(default.rate),
            burst: self.burst.unwrap_or(default.burst),
            in_flight: self.in_flight.unwrap_or(default.in_flight),
        }
    }
}

impl<'a> ShownKey<'a> {
    /// A key as it stands.
    pub(crate) fn of(key: &'a Key) -> Self {
        let created = &key.created;
        Self {
            id: created.key,
            prefix: &created.prefix,
            tenant: &created.tenant,
            name: &created.name,
            scopes: created.scopes,
            limits: created.limits,
            created_at: created.created_at,
            expires_at: created.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}
