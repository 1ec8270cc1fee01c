//! Addresses of Concordium accounts. Keys and balances are the chain crate's business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// Version byte of Base58Check for Concordium addresses.
const BASE58CHECK_VERSION: u8 = 1;
/// Digits of 37 bytes in base 58 whose first byte is [`BASE58CHECK_VERSION`].
const TEXT_BYTES: usize = 50;
/// More bytes than 50 digits of base 58 can be.
const DECODED_BYTES_MAX: usize = 64;
/// Bytes that all aliases of one account share; the last three count the alias.
const ALIAS_PREFIX_BYTES: usize = 29;

/// An account address. Compare with [`AccountAddress::is_alias_of`]: one account has 2^24 of them.
///
/// It keeps its text: every event holds two addresses, and Base58 is slow to write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountAddress {
    bytes: [u8; 32],
    text: [u8; TEXT_BYTES],
}

/// An account, by whichever of its addresses it is named. Written in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey([u8; ALIAS_PREFIX_BYTES]);

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A text that is no Base58Check address of Concordium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Concordium account address")]
pub struct NotAnAddress;

impl AccountAddress {
    /// An address from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut text = [0; TEXT_BYTES];
        let length = bs58::encode(bytes)
            .with_check_version(BASE58CHECK_VERSION)
            .onto(&mut text[..])
            .expect("2^288 to 2^289 have 50 digits in base 58");
        debug_assert_eq!(length, TEXT_BYTES);
        Self { bytes, text }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).expect("Base58 is ASCII")
    }

    /// What all addresses of one account have in common, and no two accounts.
    #[must_use]
    pub fn account(&self) -> AccountKey {
        let mut key = [0; ALIAS_PREFIX_BYTES];
        key.copy_from_slice(&self.bytes[..ALIAS_PREFIX_BYTES]);
        AccountKey(key)
    }

    /// Whether both name one account.
    #[must_use]
    pub fn is_alias_of(&self, other: &Self) -> bool {
        self.bytes[..ALIAS_PREFIX_BYTES] == other.bytes[..ALIAS_PREFIX_BYTES]
    }
}

impl FromStr for AccountAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let mut bytes = [0; DECODED_BYTES_MAX];
        let length = bs58::decode(text)
            .with_check(Some(BASE58CHECK_VERSION))
            .onto(&mut bytes[..])
            .map_err(|_| NotAnAddress)?;
        let address = bytes[..length].get(1..).ok_or(NotAnAddress)?;
        // No two texts are the same number, and leading zeros would be more bytes.
        let text = text.as_bytes().try_into().map_err(|_| NotAnAddress)?;
        Ok(Self { bytes: address.try_into().map_err(|_| NotAnAddress)?, text })
    }
}

impl Serialize for AccountAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer)
    }
}

impl fmt::Display for AccountAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_and_a_changed_letter_does_not() {
        let text = AccountAddress::from_bytes([7; 32]).to_string();
        assert_eq!(text.parse(), Ok(AccountAddress::from_bytes([7; 32])));
        let mut changed = text.clone();
        let last = changed.pop().unwrap();
        changed.push(if last == '2' { '3' } else { '2' });
        assert_eq!(changed.parse::<AccountAddress>(), Err(NotAnAddress));
        assert_eq!("".parse::<AccountAddress>(), Err(NotAnAddress));
    }

    #[test]
    fn the_smallest_and_the_largest_have_texts_of_one_length() {
        for byte in [0, 255] {
            let address = AccountAddress::from_bytes([byte; 32]);
            assert_eq!(address.as_str().parse(), Ok(address));
        }
    }

    #[test]
    fn aliases_differ_only_in_the_last_three_bytes() {
        let mut alias = [7; 32];
        alias[31] = 9;
        let account = AccountAddress::from_bytes([7; 32]);
        assert!(AccountAddress::from_bytes(alias).is_alias_of(&account));
        alias[28] = 9;
        assert!(!AccountAddress::from_bytes(alias).is_alias_of(&account));
    }
}
