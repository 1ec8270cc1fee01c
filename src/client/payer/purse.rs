//! What the wallet holds and what the chain charges, asked once for each asset, and what an offer
//! takes of it. Payments on their way count as spent.

use ccd402_domain::amount::{Amount, CCD_DECIMALS};
use ccd402_domain::asset::Asset;

use crate::payer::error::Error;
use crate::payer::flights::Flights;
use crate::payer::offer::{How, Terms};
use crate::payer::wallet::{self, Wallet};

/// The wallet's money.
pub(crate) struct Purse<'a> {
    pub(crate) wallet: &'a dyn Wallet,
    /// Sponsored payments that may still take what they are of.
    flights: &'a Flights,
    pockets: Vec<Pocket>,
}

/// What is known of one asset.
#[derive(Default)]
struct Pocket {
    asset: Option<Asset>,
    decimals: Option<u8>,
    balance: Option<Amount>,
    fee: Option<Amount>,
}

/// What an offer takes of the payer, by asset; smallest units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cost {
    parts: Vec<(Asset, u128)>,
    /// What of it goes to the chain, in microCCD.
    pub(crate) fee: Amount,
}

impl<'a> Purse<'a> {
    pub(crate) fn new(wallet: &'a dyn Wallet, flights: &'a Flights) -> Self {
        Self { wallet, flights, pockets: Vec::new() }
    }

    pub(crate) async fn decimals(&mut self, asset: &Asset) -> Result<u8, wallet::Error> {
        let wallet = self.wallet;
        let pocket = self.pocket(asset);
        match pocket.decimals {
            Some(decimals) => Ok(decimals),
            None => Ok(*pocket.decimals.insert(wallet.decimals(asset).await?)),
        }
    }

    /// What meeting the terms takes.
    pub(crate) async fn cost(&mut self, terms: &Terms) -> Result<Cost, wallet::Error> {
        let fee = match terms.how {
            How::Sponsored { .. } => Amount::from_units(0),
            How::Hash { .. } => self.fee(&terms.asset).await?,
        };
        let (price, fee_units) = (u128::from(terms.amount.units()), u128::from(fee.units()));
        let parts = match terms.asset {
            Asset::Ccd => vec![(Asset::Ccd, price + fee_units)],
            Asset::Token(_) => vec![(Asset::Ccd, fee_units), (terms.asset.clone(), price)],
        };
        Ok(Cost { parts: parts.into_iter().filter(|(_, units)| *units > 0).collect(), fee })
    }

    /// Whether that much is there, besides what payments on their way will take.
    pub(crate) async fn affords(&mut self, cost: &Cost) -> Result<(), Error> {
        for (asset, needed) in &cost.parts {
            let balance = self.balance(asset).await?;
            let held = u128::from(balance.units()).saturating_sub(self.flights.take(asset));
            if held < *needed {
                let decimals = match asset {
                    Asset::Ccd => CCD_DECIMALS,
                    Asset::Token(_) => self.decimals(asset).await?,
                };
                let units = |units: u128| {
                    let amount = Amount::from_units(u64::try_from(units).unwrap_or(u64::MAX));
                    priced(amount, asset, decimals)
                };
                let has_fee = *asset == Asset::Ccd && cost.fee.units() > 0;
                let with_the_fee = if has_fee { " with the fee" } else { "" };
                return Err(Error::InsufficientFunds {
                    needed: format!("{}{with_the_fee}", units(*needed)),
                    held: units(held),
                });
            }
        }
        Ok(())
    }

    async fn balance(&mut self, asset: &Asset) -> Result<Amount, wallet::Error> {
        let wallet = self.wallet;
        let pocket = self.pocket(asset);
        match pocket.balance {
            Some(balance) => Ok(balance),
            None => Ok(*pocket.balance.insert(wallet.balance(asset).await?)),
        }
    }

    async fn fee(&mut self, asset: &Asset) -> Result<Amount, wallet::Error> {
        let wallet = self.wallet;
        let pocket = self.pocket(asset);
        match pocket.fee {
            Some(fee) => Ok(fee),
            None => Ok(*pocket.fee.insert(wallet.fee(asset).await?)),
        }
    }

    fn pocket(&mut self, asset: &Asset) -> &mut Pocket {
        let is_it = |pocket: &Pocket| pocket.asset.as_ref() == Some(asset);
        let at = self.pockets.iter().position(is_it).unwrap_or_else(|| {
            self.pockets.push(Pocket { asset: Some(asset.clone()), ..Pocket::default() });
            self.pockets.len() - 1
        });
        &mut self.pockets[at]
    }
}

impl Cost {
    /// Whether it takes less of something than another, and more of nothing. Costs in different
    /// assets cannot be compared: neither is less then.
    pub(crate) fn is_less_than(&self, other: &Self) -> bool {
        let is_no_more = self.parts.iter().all(|(asset, units)| *units <= other.of(asset));
        is_no_more && other.parts.iter().any(|(asset, units)| self.of(asset) < *units)
    }

    fn of(&self, asset: &Asset) -> u128 {
        let part = self.parts.iter().find(|(part, _)| part == asset);
        part.map_or(0, |(_, units)| *units)
    }
}

pub(crate) fn priced(amount: Amount, asset: &Asset, decimals: u8) -> String {
    format!("{} {asset}", amount.to_decimal(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(parts: &[(&str, u128)]) -> Cost {
        let parts = parts.iter().map(|(asset, units)| (asset.parse().unwrap(), *units)).collect();
        Cost { parts, fee: Amount::from_units(0) }
    }

    #[test]
    fn one_cost_is_less_only_where_it_is_more_of_nothing() {
        let rows = [
            (&[("CCD", 15)][..], &[("CCD", 21)][..], true),
            (&[("CCD", 21)], &[("CCD", 15)], false),
            (&[("CCD", 15)], &[("CCD", 15)], false),
            (&[("EURR", 2)], &[("CCD", 6), ("EURR", 2)], true),
            (&[("eurr", 2)], &[("CCD", 6), ("EURR", 2)], true),
            (&[("EURR", 3)], &[("CCD", 6), ("EURR", 2)], false),
            (&[("CCD", 15)], &[("EURR", 99)], false),
        ];
        for (one, other, expected) in rows {
            assert_eq!(cost(one).is_less_than(&cost(other)), expected, "{one:?} {other:?}");
        }
    }
}
