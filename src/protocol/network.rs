//! Names of Concordium networks: CAIP-2 ids and the short names of x402 v1.
//!
//! Which network a node is really on is the chain crate's business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The network where CCD is money.
pub const MAINNET: &str = "ccd:9dd9ca4d19e9393877d2c44b70f89acb";
/// The public test network.
pub const TESTNET: &str = "ccd:4221332d34e1694168c2a0c0b3fd0f27";

/// Hex digits of the genesis hash that a CAIP-2 id carries.
const REFERENCE_DIGITS: usize = 32;

/// A network by its CAIP-2 id: `ccd:` and the first 32 hex digits of the genesis hash.
///
/// The short names of x402 v1 (`concordium`, `concordium-testnet`) are read as the ids they stand
/// for, so two names of one network are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkId(String);

/// A text that names no Concordium network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Concordium network: use \"ccd:\" and 32 lower-case hex digits of the genesis hash")]
pub struct NotANetwork;

impl NetworkId {
    /// The network whose genesis block has this hash.
    #[must_use]
    pub fn of_genesis(hash: &[u8; 32]) -> Self {
        let digits: String =
            hash[..REFERENCE_DIGITS / 2].iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("ccd:{digits}"))
    }

    /// The CAIP-2 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How x402 v1 calls it: the short name where there is one, else the CAIP-2 id.
    #[must_use]
    pub fn v1_name(&self) -> &str {
        match self.0.as_str() {
            MAINNET => "concordium",
            TESTNET => "concordium-testnet",
            other => other,
        }
    }
}

impl FromStr for NetworkId {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let id = match text {
            "concordium" => MAINNET,
            "concordium-testnet" => TESTNET,
            other => other,
        };
        let digits = id.strip_prefix("ccd:").ok_or(NotANetwork)?;
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() == REFERENCE_DIGITS && digits.bytes().all(lower_hex) {
            Ok(Self(id.to_owned()))
        } else {
            Err(NotANetwork)
        }
    }
}

impl TryFrom<String> for NetworkId {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<NetworkId> for String {
    fn from(id: NetworkId) -> Self {
        id.0
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_the_ids_they_stand_for() {
        let short: NetworkId = "concordium".parse().unwrap();
        assert_eq!(short.as_str(), MAINNET);
        assert_eq!(short.v1_name(), "concordium");
    }

    #[test]
    fn other_spellings_are_refused() {
        let cases = ["", "ccd:", "eip155:1", "Concordium", "ccd:9DD9CA4D19E9393877D2C44B70F89ACB"];
        for text in cases {
            assert!(text.parse::<NetworkId>().is_err(), "{text}");
        }
    }
}
