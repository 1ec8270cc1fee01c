//! What is paid with: CCD, or a protocol-level token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest token id in bytes, as the chain limits it.
const TOKEN_ID_BYTES_MAX: usize = 128;

/// An asset. `CCD` is exact; token ids compare without regard to case, as on chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Asset {
    /// The chain's own coin.
    Ccd,
    /// A protocol-level token by its id.
    Token(String),
}

/// A text that is no asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an asset: use \"CCD\" or a token id of letters, digits, '-', '.' and '%'")]
pub struct NotAnAsset;

impl PartialEq for Asset {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ccd, Self::Ccd) => true,
            (Self::Token(a), Self::Token(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

impl Eq for Asset {}

impl FromStr for Asset {
    type Err = NotAnAsset;

    fn from_str(text: &str) -> Result<Self, NotAnAsset> {
        if text == "CCD" {
            return Ok(Self::Ccd);
        }
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'%');
        let is_token = !text.is_empty()
            && text.len() <= TOKEN_ID_BYTES_MAX
            && text.bytes().all(is_allowed)
            // "ccd" would pass for the coin in the eyes of people.
            && !text.eq_ignore_ascii_case("CCD");
        if is_token { Ok(Self::Token(text.to_owned())) } else { Err(NotAnAsset) }
    }
}

impl TryFrom<String> for Asset {
    type Error = NotAnAsset;

    fn try_from(text: String) -> Result<Self, NotAnAsset> {
        text.parse()
    }
}

impl From<Asset> for String {
    fn from(asset: Asset) -> Self {
        asset.to_string()
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ccd => f.write_str("CCD"),
            Self::Token(id) => f.write_str(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_compare_without_case_and_never_equal_ccd() {
        let token = |id: &str| id.parse::<Asset>().unwrap();
        assert_eq!(token("EURR"), token("eurr"));
        assert_ne!(token("EURR"), Asset::Ccd);
        assert!("ccd".parse::<Asset>().is_err());
        assert!("EUR R".parse::<Asset>().is_err());
    }
}
