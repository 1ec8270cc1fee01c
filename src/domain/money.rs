//! Money as people write it in configuration: `1.5 CCD`, `0.05 EURR`.
//!
//! How fine a token is, the chain alone knows: whoever wants smallest units asks it first.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AmountError, CCD_DECIMALS, DECIMALS_MAX};
use crate::asset::Asset;

/// A number and an asset; how fine the number may be depends on the asset's decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    number: String,
    /// Of what.
    pub asset: Asset,
}

/// A text that is no money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number and an asset, as in \"1.5 CCD\" or \"0.05 EURR\"")]
pub struct NotMoney;

/// Money that is no amount of the chain's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The chain knows no such token.
    #[error("there is no token {0} on this network: check its id")]
    NoSuchToken(String),
    /// The number does not fit the asset.
    #[error("{money}: {error} ({decimals} decimals)")]
    Amount {
        /// What was written.
        money: String,
        /// What is wrong with it.
        error: AmountError,
        /// Of the asset.
        decimals: u8,
    },
}

impl Money {
    /// In smallest units. The decimals are what the chain says of the token, none if it knows no
    /// such token; for CCD they do not matter.
    ///
    /// # Errors
    /// Where there is no such token, or the number is finer than it or too large.
    pub fn units(&self, token_decimals: Option<u8>) -> Result<Amount, Error> {
        let decimals = match &self.asset {
            Asset::Ccd => CCD_DECIMALS,
            Asset::Token(id) => token_decimals.ok_or_else(|| Error::NoSuchToken(id.clone()))?,
        };
        Amount::from_decimal(&self.number, decimals).map_err(|error| Error::Amount {
            money: self.to_string(),
            error,
            decimals,
        })
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (number, asset) = text.trim().split_once(char::is_whitespace).ok_or(NotMoney)?;
        // Read once with the most decimals there can be: what fails here fails for every asset.
        match Amount::from_decimal(number, DECIMALS_MAX) {
            Ok(_) | Err(AmountError::TooLarge) => {}
            Err(AmountError::NotAnInteger | AmountError::TooFine) => return Err(NotMoney),
        }
        let asset = asset.trim().parse().map_err(|_| NotMoney)?;
        Ok(Self { number: number.to_owned(), asset })
    }
}

impl TryFrom<String> for Money {
    type Error = NotMoney;

    fn try_from(text: String) -> Result<Self, NotMoney> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn units(text: &str, token_decimals: Option<u8>) -> Result<u64, Error> {
        money(text).units(token_decimals).map(Amount::units)
    }

    #[test]
    fn a_token_counts_in_the_decimals_that_the_chain_says() {
        assert_eq!(units("0.05 EURR", Some(6)), Ok(50_000));
        assert_eq!(units("0.05 EURR", Some(2)), Ok(5));
        assert_eq!(units("5 EURR", Some(0)), Ok(5));
        assert_eq!(units("5 EURR", None), Err(Error::NoSuchToken("EURR".to_owned())));
    }

    #[test]
    fn ccd_has_six_decimals_whatever_is_said() {
        for decimals in [None, Some(2)] {
            assert_eq!(units("1.5 CCD", decimals), Ok(1_500_000));
        }
    }

    #[test]
    fn too_fine_and_too_large_depend_on_the_asset() {
        let wrong = |text: &str, decimals| match units(text, Some(decimals)) {
            Err(Error::Amount { error, .. }) => error,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(wrong("0.005 EURR", 2), AmountError::TooFine);
        assert_eq!(wrong("0.0000001 CCD", 19), AmountError::TooFine);
        assert_eq!(wrong("20000000000000 EURR", 6), AmountError::TooLarge);
        assert!(units("20000000000000 EURR", Some(2)).is_ok());
        let text = money("0.005 EURR").units(Some(2)).unwrap_err().to_string();
        assert_eq!(text, "0.005 EURR: the amount has more decimals than the asset (2 decimals)");
    }

    #[test]
    fn what_people_do_not_mean_is_no_money() {
        for text in ["", "5", "CCD", "CCD 5", "-1 CCD", "1e3 CCD", "1. CCD", "5 ccd", "5 EU RR"] {
            assert!(text.parse::<Money>().is_err(), "{text:?}");
        }
        assert_eq!(money("  1.50   CCD ").to_string(), "1.50 CCD");
    }
}
