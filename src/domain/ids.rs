//! Identifiers: hashes of the chain, digests of our own, and ids of what has a stream.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::text;

/// Name space of every UUIDv5 made here, itself the UUIDv5 of "ccd402" in the DNS name space.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0c_1f3e_2b0a_5b61_9d0e_6a3f_7c45_d402);

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hex digits")]
pub struct NotAHash;

/// The 64 digits, without taking memory for them: every event holds several.
fn with_hex<R>(bytes: &[u8; 32], write: impl FnOnce(&str) -> R) -> R {
    let mut digits = [0; 64];
    hex::encode_to_slice(bytes, &mut digits).expect("32 bytes have 64 digits");
    write(std::str::from_utf8(&digits).expect("hex digits are ASCII"))
}

/// What each byte is worth as a hex digit; more than 15 where it is none.
const DIGITS: [u8; 256] = {
    let mut worth = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        worth[b"0123456789abcdef"[digit as usize] as usize] = digit;
        worth[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    worth
};

/// 64 digits, by a table: replaying reads millions of them.
fn read_hex(text: &str) -> Result<[u8; 32], NotAHash> {
    let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotAHash)?;
    let (mut bytes, mut worst) = ([0; 32], 0);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        worst |= high | low;
        *byte = high << 4 | low;
    }
    if worst > 15 { Err(NotAHash) } else { Ok(bytes) }
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From its bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                read_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                with_hex(&self.0, |text| serializer.serialize_str(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::read(deserializer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                with_hex(&self.0, |text| f.write_str(text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

hash_type! {
    /// Hash of a block item.
    TransactionHash
}
hash_type! {
    /// Hash of a block.
    BlockHash
}
hash_type! {
    /// SHA-256 of something of ours: the binding digest, a body, a presentation.
    Digest
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_type! {
    /// Id of a verification: the aggregate, its stream, its URL.
    VerificationId
}
uuid_type! {
    /// Id of a reservation: who holds it may release it.
    ReservationId
}
uuid_type! {
    /// Id of a webhook.
    WebhookId
}
uuid_type! {
    /// Id of an API key; it is in the key's text, and no secret.
    KeyId
}

/// UUIDv5 of the parts, each with its length before it, so that no two lists of parts collide.
#[must_use]
pub fn uuid_of(parts: &[&[u8]]) -> Uuid {
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_hex_digits_of_either_case() {
        let hash = Digest::from_bytes(std::array::from_fn(|at| at as u8 * 8 + 3));
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        for at in 0..64 {
            for other in ["g", "G", "/", ":", "@", "`", " ", "-", "\0", "\u{7f}"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert_eq!(changed.parse::<Digest>(), Err(NotAHash), "{changed}");
            }
        }
        for other in ["", "0", &text[1..], &format!("{text}0"), &format!("{}ä", &text[2..])] {
            assert_eq!(other.parse::<Digest>(), Err(NotAHash), "{other}");
        }
    }
}
