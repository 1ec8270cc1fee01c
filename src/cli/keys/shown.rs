//! Keys as they are printed, and as the API sends them.

use ccd402_domain::ids::KeyId;
use ccd402_domain::key::event::Limits;
use ccd402_domain::key::scope::Scopes;
use ccd402_domain::key::state::Key;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::output::Output;

/// A key without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    pub(super) id: KeyId,
    prefix: String,
    tenant: String,
    name: String,
    scopes: Scopes,
    limits: Limits,
    created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

/// A key that was made just now. Not `Debug`: its text is a secret.
#[derive(Serialize, Deserialize)]
pub(super) struct Created {
    #[serde(flatten)]
    pub(super) shown: Shown,
    pub(super) key: String,
}

impl Shown {
    pub(super) fn of(key: &Key) -> Self {
        let created = &key.created;
        Self {
            id: created.key,
            prefix: created.prefix.clone(),
            tenant: created.tenant.to_string(),
            name: created.name.to_string(),
            scopes: created.scopes,
            limits: created.limits,
            created_at: created.created_at,
            expires_at: created.expires_at,
            revoked_at: key.revoked_at,
        }
    }

    fn line(&self) -> String {
        let standing = match (self.revoked_at, self.expires_at) {
            (Some(at), _) => format!("revoked {}", shortly(at)),
            (None, Some(at)) => format!("good until {}", shortly(at)),
            (None, None) => "good".to_owned(),
        };
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let (scopes, Self { id, tenant, name, prefix, .. }) = (scopes.join(","), self);
        format!("{id}  {tenant:12}  {scopes:20}  {prefix}…  {standing}  {name}")
    }
}

fn shortly(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn created(output: Output, created: &Created) {
    let text =
        format!("{}\n\nKeep it: it is not shown again.\n{}", created.key, created.shown.line());
    output.print(&text, created);
}

pub(super) fn list(output: Output, keys: &[Shown]) {
    for key in keys {
        output.print(&key.line(), key);
    }
    if keys.is_empty() && output == Output::Text {
        output.print("There is no key.", &());
    }
}

pub(super) fn revoked(output: Output, key: &Shown) {
    output.print(&format!("revoked: {}", key.line()), key);
}
