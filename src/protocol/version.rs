//! The two versions of x402. Nothing else about them lives here.

use serde::{Deserialize, Serialize};

/// A version of the x402 protocol that this software speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum X402Version {
    /// `X-PAYMENT`, the offer in the body of the 402.
    V1,
    /// `PAYMENT-SIGNATURE`, the offer in the header `PAYMENT-REQUIRED`.
    V2,
}

/// A version number that nobody has defined yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("x402Version {0} is not spoken here; use 1 or 2")]
pub struct UnknownVersion(pub u64);

impl TryFrom<u64> for X402Version {
    type Error = UnknownVersion;

    fn try_from(number: u64) -> Result<Self, UnknownVersion> {
        match number {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            other => Err(UnknownVersion(other)),
        }
    }
}

impl From<X402Version> for u64 {
    fn from(version: X402Version) -> Self {
        match version {
            X402Version::V1 => 1,
            X402Version::V2 => 2,
        }
    }
}
