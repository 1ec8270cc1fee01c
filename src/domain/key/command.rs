//! What can be asked of a Key.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::KeyId;
use crate::key::event::Limits;
use crate::key::scope::Scopes;
use crate::key::text::KeyText;
use crate::tenant::TenantId;
use crate::text;

/// Longest name.
const NAME_CHARS_MAX: usize = 100;

/// A command to one Key.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create(Box<Creation>),
    /// Take it back, for good.
    Revoke {
        /// Time of the command.
        now: DateTime<Utc>,
    },
}

/// A key to make.
#[derive(Debug, Clone)]
pub struct Creation {
    /// Fresh id and secret.
    pub text: KeyText,
    /// What it will be.
    pub terms: Terms,
    /// Time of the command.
    pub now: DateTime<Utc>,
}

/// What whoever makes a key says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// As whom its holder acts.
    pub tenant: TenantId,
    /// For people.
    pub name: KeyName,
    /// What it allows.
    pub scopes: Scopes,
    /// How much it allows.
    pub limits: Limits,
    /// Until when it is good; for ever where absent.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Creation {
    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.text.id()
    }
}

/// What people call a key: 1 to 100 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyName(String);

/// A text that is no name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name is 1 to {NAME_CHARS_MAX} characters without control characters")]
pub struct NotAKeyName;

impl FromStr for KeyName {
    type Err = NotAKeyName;

    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        if !fits || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(NotAKeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
