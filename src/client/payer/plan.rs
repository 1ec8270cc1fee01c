//! Whether the wallet can and may meet an offer: limits, funds, proof. Nothing is sent here.

use ccd402_domain::amount::{Amount, CCD_DECIMALS};
use ccd402_domain::asset::Asset;
use serde_json::Value;

use crate::payer::demand::Demand;
use crate::payer::error::Error;
use crate::payer::offer::{self, Terms, Wanted};
use crate::payer::options::{Limit, Quote};
use crate::payer::wallet::{self, Wallet};
use crate::payer::words;

/// An offer that the wallet can meet, with the proof made.
pub(crate) struct Plan {
    pub(crate) terms: Terms,
    pub(crate) quote: Quote,
    /// Concordium's JSON, where a proof is asked for.
    pub(crate) presentation: Option<Value>,
}

/// The first offer that can be met.
///
/// # Errors
/// Why the one that came closest cannot: an offer on another network says less than a proof that
/// cannot be made.
pub(crate) async fn choose(
    demand: Demand,
    wanted: &Wanted<'_>,
    wallet: &dyn Wallet,
    limits: &[Limit],
) -> Result<Plan, Error> {
    let nothing = demand.unreadable.unwrap_or_else(|| "it holds no offer".to_owned());
    let mut closest: Option<Error> = None;
    for offer in demand.offers {
        let planned = match offer::terms(offer, wanted) {
            Ok(terms) => plan(terms, wanted, wallet, limits).await,
            Err(error) => Err(error),
        };
        match planned {
            Ok(plan) => return Ok(plan),
            Err(error) => {
                let is_closer = |other: &Error| distance(&error) < distance(other);
                if closest.as_ref().is_none_or(is_closer) {
                    closest = Some(error);
                }
            }
        }
    }
    Err(closest.unwrap_or(Error::NotUnderstood(nothing)))
}

/// How far from being met an offer was; the order of the checks, backwards.
fn distance(error: &Error) -> u8 {
    match error {
        Error::CannotProve { .. } => 0,
        Error::InsufficientFunds { .. } => 1,
        Error::OverLimit { .. } => 2,
        Error::Wallet(_) => 3,
        Error::OutOfTime(_) => 4,
        Error::OtherResource { .. } => 5,
        Error::NoOffer(_) => 6,
        _ => 7,
    }
}

async fn plan(
    terms: Terms,
    wanted: &Wanted<'_>,
    wallet: &dyn Wallet,
    limits: &[Limit],
) -> Result<Plan, Error> {
    let decimals = wallet.decimals(&terms.asset).await?;
    within_limits(&terms, decimals, limits)?;
    let fee = wallet.fee(&terms.asset).await?;
    affordable(&terms, (decimals, fee), wallet).await?;
    let asked = terms.offer.identity.as_ref();
    let today = wanted.now.date_naive();
    let proves = asked.map(|required| words::describe(required, today)).unwrap_or_default();
    let presentation = match asked {
        None => None,
        Some(required) => match wallet.prove(required, &terms.digest).await {
            Ok(presentation) => Some(presentation),
            Err(wallet::Error::CannotProve(reason)) => {
                return Err(Error::CannotProve { asked: proves.join(", "), reason });
            }
            Err(error) => return Err(error.into()),
        },
    };
    let quote = quote(&terms, (decimals, fee), (proves, wanted.resource.url.clone()));
    Ok(Plan { terms, quote, presentation })
}

fn quote(
    terms: &Terms,
    (decimals, fee): (u8, Amount),
    (proves, url): (Vec<String>, String),
) -> Quote {
    Quote {
        url,
        description: terms.offer.description.clone(),
        amount: terms.amount.to_decimal(decimals),
        asset: terms.asset.clone(),
        pay_to: terms.pay_to,
        fee: fee.to_decimal(CCD_DECIMALS),
        proves,
        closes_at: terms.expires_at,
    }
}

fn within_limits(terms: &Terms, decimals: u8, limits: &[Limit]) -> Result<(), Error> {
    let is_allowed = |limit: &Limit| limit.asset == terms.asset && terms.amount <= limit.amount;
    if limits.is_empty() || limits.iter().any(is_allowed) {
        return Ok(());
    }
    let of_asset = limits.iter().find(|limit| limit.asset == terms.asset);
    let limit = match of_asset {
        Some(limit) => format!("{} {}", limit.amount.to_decimal(decimals), terms.asset),
        None => format!("none is set for {}", terms.asset),
    };
    Err(Error::OverLimit { price: priced(terms.amount, &terms.asset, decimals), limit })
}

async fn affordable(
    terms: &Terms,
    (decimals, fee): (u8, Amount),
    wallet: &dyn Wallet,
) -> Result<(), Error> {
    let ccd = wallet.balance(&Asset::Ccd).await?;
    let ccd_needed = match terms.asset {
        Asset::Ccd => terms.amount.units().checked_add(fee.units()),
        Asset::Token(_) => Some(fee.units()),
    };
    if ccd_needed.is_none_or(|needed| ccd.units() < needed) {
        let needed = Amount::from_units(ccd_needed.unwrap_or(u64::MAX));
        return Err(Error::InsufficientFunds {
            needed: format!("{} with the fee", priced(needed, &Asset::Ccd, CCD_DECIMALS)),
            held: priced(ccd, &Asset::Ccd, CCD_DECIMALS),
        });
    }
    if let Asset::Token(_) = terms.asset {
        let held = wallet.balance(&terms.asset).await?;
        if held < terms.amount {
            return Err(Error::InsufficientFunds {
                needed: priced(terms.amount, &terms.asset, decimals),
                held: priced(held, &terms.asset, decimals),
            });
        }
    }
    Ok(())
}

fn priced(amount: Amount, asset: &Asset, decimals: u8) -> String {
    format!("{} {asset}", amount.to_decimal(decimals))
}
