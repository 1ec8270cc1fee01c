//! Tenants: who a verification belongs to, and whose a caller may see. Keys and limits of a tenant
//! are not here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::ids::uuid_of;
use crate::text;

/// Longest name.
const NAME_BYTES_MAX: usize = 63;
/// Whose verifications are those that come without a key.
const DEFAULT: &str = "default";

/// A tenant's name: 1 to 63 of `a-z`, `0-9` and `-`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TenantId(Arc<str>);

/// A text that is no tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name is 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, and does not begin with -")]
pub struct NotATenant;

/// Whose things a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Those of one tenant.
    Tenant(TenantId),
    /// Everybody's: the operator's.
    All,
}

impl Reach {
    /// Whether a tenant's things are among them.
    #[must_use]
    pub fn covers(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Tenant(own) => own == tenant,
            Self::All => true,
        }
    }
}

impl TenantId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// [`uuid_of`] the parts, as this tenant says them: two tenants never get one id.
    #[must_use]
    pub fn uuid_of(&self, parts: &[&[u8]]) -> Uuid {
        // Ids of the default tenant are as they were before there were tenants.
        if self.is_default() {
            return uuid_of(parts);
        }
        uuid_of(&[parts, &[self.0.as_bytes()]].concat())
    }

    /// Whether it is the one of verifications that come without a key.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self.0 == *DEFAULT
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl FromStr for TenantId {
    type Err = NotATenant;

    fn from_str(text: &str) -> Result<Self, NotATenant> {
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        if !fits || text.starts_with('-') || !text.bytes().all(is_name) {
            return Err(NotATenant);
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_tenants_differ() {
        let shop: TenantId = "shop".parse().unwrap();
        let parts: [&[u8]; 2] = [b"payment", b"1"];
        assert_eq!(TenantId::default().uuid_of(&parts), uuid_of(&parts));
        assert_ne!(shop.uuid_of(&parts), uuid_of(&parts));
        assert_ne!(shop.uuid_of(&parts), "other".parse::<TenantId>().unwrap().uuid_of(&parts));
    }

    #[test]
    fn one_reaches_ones_own_and_the_operator_all() {
        let shop: TenantId = "shop".parse().unwrap();
        let own = Reach::Tenant(shop.clone());
        assert!(own.covers(&shop) && !own.covers(&TenantId::default()));
        assert!(Reach::All.covers(&shop) && Reach::All.covers(&TenantId::default()));
    }

    #[test]
    fn a_name_is_short_plain_and_does_not_begin_with_a_dash() {
        for name in ["default", "a", "0-shop", &"x".repeat(63)] {
            assert_eq!(name.parse::<TenantId>().unwrap().as_str(), name);
        }
        for other in ["", "-a", "A", "a_b", "a b", "ä", &"x".repeat(64)] {
            assert_eq!(other.parse::<TenantId>(), Err(NotATenant), "{other}");
        }
    }
}
