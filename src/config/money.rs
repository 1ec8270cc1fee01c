//! Money as people write it: `1.5 CCD`, `5 EURR`.

use std::str::FromStr;

use ccd402_domain::amount::{Amount, AmountError, CCD_DECIMALS};
use ccd402_domain::asset::Asset;
use serde::Deserialize;

/// A number and an asset; how fine the number may be depends on the asset's decimals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Money {
    number: String,
    /// Of what.
    pub asset: Asset,
}

/// A text that is no money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number and an asset, as in \"1.5 CCD\" or \"5 EURR\"")]
pub struct NotMoney;

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (number, asset) = text.trim().split_once(char::is_whitespace).ok_or(NotMoney)?;
        // Read once with the most decimals there can be: what fails here fails for every asset.
        Amount::from_decimal(number, ccd402_domain::amount::DECIMALS_MAX).map_or_else(
            |error| if error == AmountError::TooLarge { Ok(()) } else { Err(NotMoney) },
            |_| Ok(()),
        )?;
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

impl Money {
    /// In smallest units, for an asset with so many decimals.
    ///
    /// # Errors
    /// Where the number is finer than that or too large.
    pub fn units(&self, decimals: u8) -> Result<Amount, AmountError> {
        Amount::from_decimal(&self.number, decimals)
    }

    /// In smallest units, if it is CCD.
    ///
    /// # Errors
    /// As [`Money::units`].
    pub fn ccd(&self) -> Option<Result<Amount, AmountError>> {
        (self.asset == Asset::Ccd).then(|| self.units(CCD_DECIMALS))
    }
}
