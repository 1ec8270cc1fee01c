//! Which offer the wallet can and may meet, and best: limits, funds, cost, proof. Nothing is sent
//! here.

use ccd402_domain::amount::CCD_DECIMALS;
use serde_json::Value;

use crate::payer::demand::Demand;
use crate::payer::error::Error;
use crate::payer::offer::{self, How, Terms, Wanted};
use crate::payer::options::{Limit, Quote};
use crate::payer::purse::{Cost, Purse, priced};
use crate::payer::wallet;
use crate::payer::words;

/// An offer that the wallet can meet, with the proof made.
pub(crate) struct Plan {
    pub(crate) terms: Terms,
    pub(crate) quote: Quote,
    /// Concordium's JSON, where a proof is asked for.
    pub(crate) presentation: Option<Value>,
}

/// An offer that is within limits and funds. Whether it can be proven is found out last.
struct Candidate {
    terms: Terms,
    decimals: u8,
    cost: Cost,
}

/// The error that says most.
struct Closest(Option<Error>);

/// The offer that is accepted, of those that are within the limits, that the wallet can afford with
/// the fee, and that it can prove. In this order:
///
/// 1. An offer that takes less of an asset than another, and more of nothing, comes before that
///    one: of two at one price, the sponsored one, which takes no fee; of two sponsored ones in one
///    asset, the cheaper; and a dear sponsored one after a cheap one with its fee. Prices in
///    different assets are not compared.
/// 2. Else the server's order counts, version 2 first.
///
/// A payer without any CCD affords no fee, and so only what is sponsored.
///
/// # Errors
/// Why the one that came closest cannot be met: an offer on another network says less than a proof
/// that cannot be made.
pub(crate) async fn choose(
    demand: Demand,
    wanted: &Wanted<'_>,
    purse: &mut Purse<'_>,
    limits: &[Limit],
) -> Result<Plan, Error> {
    let nothing = demand.unreadable.unwrap_or_else(|| "it holds no offer".to_owned());
    let mut closest = Closest(None);
    let mut candidates = Vec::new();
    for offer in demand.offers {
        let candidate = match offer::terms(offer, wanted) {
            Ok(terms) => candidate(terms, purse, limits).await,
            Err(error) => Err(error),
        };
        match candidate {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => closest.hear(error),
        }
    }
    while let Some(candidate) = take_best(&mut candidates) {
        match proven(candidate, wanted, purse).await {
            Ok(plan) => return Ok(plan),
            Err(error) => closest.hear(error),
        }
    }
    Err(closest.0.unwrap_or(Error::NotUnderstood(nothing)))
}

impl Closest {
    fn hear(&mut self, error: Error) {
        if self.0.as_ref().is_none_or(|other| distance(&error) < distance(other)) {
            self.0 = Some(error);
        }
    }
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

async fn candidate(
    terms: Terms,
    purse: &mut Purse<'_>,
    limits: &[Limit],
) -> Result<Candidate, Error> {
    let decimals = purse.decimals(&terms.asset).await?;
    within_limits(&terms, decimals, limits)?;
    let cost = purse.cost(&terms).await?;
    purse.affords(&cost).await?;
    Ok(Candidate { terms, decimals, cost })
}

/// The first that no other is less than.
fn take_best(candidates: &mut Vec<Candidate>) -> Option<Candidate> {
    let is_best = |one: &Candidate| !candidates.iter().any(|it| it.cost.is_less_than(&one.cost));
    let best = candidates.iter().position(is_best)?;
    Some(candidates.remove(best))
}

async fn proven(
    candidate: Candidate,
    wanted: &Wanted<'_>,
    purse: &Purse<'_>,
) -> Result<Plan, Error> {
    let Candidate { terms, .. } = &candidate;
    let asked = terms.offer.identity.as_ref();
    let today = wanted.now.date_naive();
    let proves = asked.map(|required| words::describe(required, today)).unwrap_or_default();
    let presentation = match (asked, &terms.how) {
        (Some(required), How::Hash { digest }) => {
            match purse.wallet.prove(required, digest).await {
                Ok(presentation) => Some(presentation),
                Err(wallet::Error::CannotProve(reason)) => {
                    return Err(Error::CannotProve { asked: proves.join(", "), reason });
                }
                Err(error) => return Err(error.into()),
            }
        }
        _ => None,
    };
    let quote = quote(&candidate, proves, wanted.resource.url.clone());
    Ok(Plan { terms: candidate.terms, quote, presentation })
}

fn quote(candidate: &Candidate, proves: Vec<String>, url: String) -> Quote {
    let Candidate { terms, decimals, cost } = candidate;
    Quote {
        url,
        description: terms.offer.description.clone(),
        amount: terms.amount.to_decimal(*decimals),
        asset: terms.asset.clone(),
        pay_to: terms.pay_to,
        fee: cost.fee.to_decimal(CCD_DECIMALS),
        sponsor: match terms.how {
            How::Hash { .. } => None,
            How::Sponsored { sponsor } => Some(sponsor),
        },
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
