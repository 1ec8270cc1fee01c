//! The gate's challenge: fresh bytes, the time in which it is open, and the gate's seal over them.
//!
//! Making and checking the seal needs the gate's secret and is the gate's business; the facilitator
//! reads only when the challenge was open, from requirements that a resource server sent it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Random bytes of a challenge.
pub const NONCE_BYTES: usize = 16;
/// Bytes of the seal, an HMAC-SHA-256.
pub const SEAL_BYTES: usize = 32;
const BYTES: usize = NONCE_BYTES + 8 + 8 + SEAL_BYTES;

/// A challenge, as `extra.challenge` carries it in base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Random.
    pub nonce: [u8; NONCE_BYTES],
    /// When it opens and closes.
    pub window: Window,
    /// The gate's HMAC over nonce, window and offer.
    pub seal: [u8; SEAL_BYTES],
}

/// The time in which a challenge is open, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When the challenge was issued.
    pub opens_at: DateTime<Utc>,
    /// After this no transfer counts.
    pub closes_at: DateTime<Utc>,
}

/// A text that is no challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a challenge")]
pub struct NotAChallenge;

impl Challenge {
    /// What the seal covers, besides the offer: nonce and window, big-endian seconds.
    #[must_use]
    pub fn sealed_bytes(nonce: &[u8; NONCE_BYTES], window: Window) -> [u8; BYTES - SEAL_BYTES] {
        let mut bytes = [0; BYTES - SEAL_BYTES];
        bytes[..16].copy_from_slice(nonce);
        bytes[16..24].copy_from_slice(&window.opens_at.timestamp().to_be_bytes());
        bytes[24..].copy_from_slice(&window.closes_at.timestamp().to_be_bytes());
        bytes
    }
}

impl FromStr for Challenge {
    type Err = NotAChallenge;

    fn from_str(text: &str) -> Result<Self, NotAChallenge> {
        let bytes = base64_url::decode(text).ok_or(NotAChallenge)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| NotAChallenge)?;
        let array = |range: std::ops::Range<usize>| -> [u8; 8] {
            bytes[range].try_into().expect("the range is 8 bytes long")
        };
        let time = |range| DateTime::from_timestamp(i64::from_be_bytes(array(range)), 0);
        let opens_at = time(16..24).ok_or(NotAChallenge)?;
        let closes_at = time(24..32).ok_or(NotAChallenge)?;
        if closes_at <= opens_at {
            return Err(NotAChallenge);
        }
        let mut challenge = Self {
            nonce: [0; NONCE_BYTES],
            window: Window { opens_at, closes_at },
            seal: [0; SEAL_BYTES],
        };
        challenge.nonce.copy_from_slice(&bytes[..16]);
        challenge.seal.copy_from_slice(&bytes[32..]);
        Ok(challenge)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        bytes[..BYTES - SEAL_BYTES].copy_from_slice(&Self::sealed_bytes(&self.nonce, self.window));
        bytes[BYTES - SEAL_BYTES..].copy_from_slice(&self.seal);
        f.write_str(&base64_url::encode(&bytes))
    }
}

mod base64_url {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    pub(super) fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_challenge_reads_back(nonce: [u8; 16], seal: [u8; 32], opens in 0..4_000_000_000_i64, life in 1..100_000_i64) {
            let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let window = Window { opens_at: at(opens), closes_at: at(opens + life) };
            let challenge = Challenge { nonce, window, seal };
            prop_assert_eq!(challenge.to_string().parse(), Ok(challenge));
        }

        #[test]
        fn hostile_text_never_panics(text in ".{0,120}") {
            let _ = text.parse::<Challenge>();
        }
    }
}
