//! Prices as people write them, and the decimals of their tokens: said, or told by the chain.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use ccd402_domain::asset::Asset;
use ccd402_gate::price::Price;

/// What is known of the decimals of tokens that nobody has said.
#[derive(Debug, Clone, Copy)]
pub enum Decimals<'a> {
    /// Nothing, and it does not matter: each token is taken to have as many as its price is written
    /// with.
    AsWritten,
    /// As the chain says, by the token's id as it is written. What the chain says must be what was
    /// said.
    Known(&'a BTreeMap<String, u8>),
}

impl Decimals<'_> {
    fn of(self, price: &str, said: Option<u8>) -> anyhow::Result<Option<u8>> {
        let Some(token) = token(price) else { return Ok(said) };
        Ok(match self {
            Self::AsWritten => said.or_else(|| Some(places(price))),
            Self::Known(known) => {
                let known = known.get(&token).copied();
                if let (Some(said), Some(known)) = (said, known) {
                    ensure!(said == known, "{token} has {known} decimals, not {said}");
                }
                said.or(known)
            }
        })
    }
}

/// The tokens that these prices are in.
pub(super) fn tokens(prices: &[String]) -> BTreeSet<String> {
    prices.iter().filter_map(|price| token(price)).collect()
}

/// The prices; `said` holds the decimals of their tokens: one number for all of them, or one for
/// each, in order. CCD needs none said.
pub(super) fn parsed(
    prices: &[String],
    said: &[u8],
    decimals: Decimals<'_>,
) -> anyhow::Result<Vec<Price>> {
    let tokens = prices.iter().filter(|price| token(price).is_some()).count();
    ensure!(
        said.len() <= 1 || said.len() == tokens,
        "`decimals` holds {} numbers for {tokens} tokens; say one for all, or one for each",
        said.len()
    );
    let mut each = said.iter().copied().cycle();
    let parsed = prices.iter().map(|price| {
        // What is said for the tokens is not said for CCD, unless nothing else is there.
        let said = if token(price).is_some() || tokens == 0 { each.next() } else { None };
        Ok(Price::parse(price.trim(), decimals.of(price, said)?)?)
    });
    parsed.collect()
}

/// The token of a price; none for CCD, and where the price makes no sense.
fn token(price: &str) -> Option<String> {
    match price.trim().split_once(' ')?.1.trim().parse() {
        Ok(Asset::Token(id)) => Some(id),
        _ => None,
    }
}

fn places(price: &str) -> u8 {
    let number = price.trim().split(' ').next().unwrap_or_default();
    let places = number.split_once('.').map_or(0, |(_, places)| places.len());
    u8::try_from(places).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_said_or_known_and_never_in_doubt() {
        let known = BTreeMap::from([("EURR".to_owned(), 6)]);
        let known = Decimals::Known(&known);
        let prices = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        type Expected = Result<&'static [u64], &'static str>;
        let rows: [(&str, &[u8], Decimals<'_>, Expected); 9] = [
            ("1.5 CCD|0.05 EURR", &[], known, Ok(&[1_500_000, 50_000])),
            ("0.05 EURR", &[6], known, Ok(&[50_000])),
            ("0.05 EURR", &[2], known, Err("EURR has 6 decimals, not 2")),
            ("2 USDR", &[], known, Err("decimals")),
            ("2 USDR", &[2], known, Ok(&[200])),
            ("1 EURR|2 USDR", &[6, 0], known, Ok(&[1_000_000, 2])),
            ("1 EURR|2 USDR", &[6, 0, 1], known, Err("3 numbers for 2 tokens")),
            ("0.05 EURR|3 USDR", &[], Decimals::AsWritten, Ok(&[5, 3])),
            ("0.05 EURR", &[1], Decimals::AsWritten, Err("0.05 EURR")),
        ];
        for (text, said, decimals, expected) in rows {
            match (parsed(&prices(text), said, decimals), expected) {
                (Ok(parsed), Ok(units)) => {
                    let parsed: Vec<_> = parsed.iter().map(|price| price.amount.units()).collect();
                    assert_eq!(parsed, units, "{text}");
                }
                (Err(error), Err(said)) => {
                    let error = format!("{error:#}");
                    assert!(error.contains(said), "{error}");
                }
                (parsed, _) => panic!("{text}: {parsed:?}"),
            }
        }
        assert_eq!(tokens(&prices("1 CCD|2 EURR|3 EURR|4|x y z")), ["EURR".to_owned()].into());
    }
}
