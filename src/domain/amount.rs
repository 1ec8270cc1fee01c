//! Amounts: integers of an asset's smallest unit, and how people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// Decimals of CCD: one CCD is 10^6 microCCD.
pub const CCD_DECIMALS: u8 = 6;
/// Most decimals that a protocol-level token may have.
pub const DECIMALS_MAX: u8 = 19;

/// An amount in smallest units. On the wire a decimal text without sign, point or leading zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(u64);

/// A text that is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Empty, signed, with a leading zero, a point, an exponent, or not digits at all.
    #[error("not a decimal integer without sign and leading zeros")]
    NotAnInteger,
    /// More than 2^64 - 1 smallest units.
    #[error("the amount is too large")]
    TooLarge,
    /// `1.2345678 CCD`: finer than the asset's smallest unit.
    #[error("the amount has more decimals than the asset")]
    TooFine,
}

impl Amount {
    /// So many smallest units.
    #[must_use]
    pub fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// Smallest units.
    #[must_use]
    pub fn units(self) -> u64 {
        self.0
    }

    /// Reads what people write (`1.5`) of an asset with so many decimals.
    ///
    /// # Errors
    /// Where it is no number, too large, or finer than the smallest unit.
    pub fn from_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let ends_in_point = text.ends_with('.');
        if whole.is_empty() || ends_in_point || !is_digits(whole) || !is_digits(fraction) {
            return Err(AmountError::NotAnInteger);
        }
        if fraction.len() > usize::from(decimals) {
            return Err(AmountError::TooFine);
        }
        let digits = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
        digits.parse().map(Self).map_err(|_| AmountError::TooLarge)
    }

    /// What people read: `1.5`.
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> String {
        let width = usize::from(decimals) + 1;
        let digits = format!("{:0>width$}", self.0);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let has_leading_zero = text.len() > 1 && text.starts_with('0');
        if text.is_empty() || has_leading_zero || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotAnInteger);
        }
        text.parse().map(Self).map_err(|_| AmountError::TooLarge)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_integers_are_amounts_on_the_wire() {
        for text in ["", "-1", "+1", "01", "1.0", "1e3", " 1", "1 ", "0x1", "18446744073709551616"]
        {
            assert!(text.parse::<Amount>().is_err(), "{text:?}");
        }
        assert_eq!("0".parse(), Ok(Amount(0)));
        assert_eq!("18446744073709551615".parse(), Ok(Amount(u64::MAX)));
    }

    #[test]
    fn people_write_points() {
        assert_eq!(Amount::from_decimal("1.5", 6), Ok(Amount(1_500_000)));
        assert_eq!(Amount::from_decimal("0.000001", 6), Ok(Amount(1)));
        assert_eq!(Amount::from_decimal("0.0000001", 6), Err(AmountError::TooFine));
        assert_eq!(Amount::from_decimal("1.", 6), Err(AmountError::NotAnInteger));
        assert_eq!(Amount::from_decimal(".5", 6), Err(AmountError::NotAnInteger));
    }

    proptest! {
        #[test]
        fn what_people_read_is_what_they_may_write(units in any::<u64>(), decimals in 0..=DECIMALS_MAX) {
            let text = Amount(units).to_decimal(decimals);
            prop_assert_eq!(Amount::from_decimal(&text, decimals), Ok(Amount(units)));
        }
    }
}
