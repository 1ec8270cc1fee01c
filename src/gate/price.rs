//! What a resource costs: prices that are said once, or found anew for each request.
//!
//! A price that cannot be found costs the visitor an error, never nothing: there is no free content
//! here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ccd402_domain::amount::{Amount, CCD_DECIMALS, DECIMALS_MAX};
use ccd402_domain::asset::Asset;
use http::{HeaderMap, Method, Uri};
use tower::BoxError;

use crate::error::Error;

/// Most prices of one resource: each makes up to two offers, and all of them go into one header.
pub const PRICES_MAX: usize = 4;
/// How long a function may take to find prices.
pub const FINDING_TIME_MAX: Duration = Duration::from_secs(5);

/// What a resource costs in one asset, in the asset's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Smallest units.
    pub amount: Amount,
    /// CCD or a token.
    pub asset: Asset,
    /// Decimals of the asset, for people.
    pub decimals: u8,
}

/// The prices of a resource; the payer chooses one of them.
#[derive(Clone)]
pub struct Pricing(Kind);

#[derive(Clone)]
enum Kind {
    Said(Vec<Price>),
    Found(Arc<Finder>),
}

type Finder = dyn Fn(Asked) -> Finding + Send + Sync;
type Finding = Pin<Box<dyn Future<Output = Result<Vec<Price>, BoxError>> + Send>>;

/// The request that a function is to find prices for, as the client sent it, without its payment.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method.
    pub method: Method,
    /// Target, as it came.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
}

/// Prices could not be found. Why is logged where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotFound;

impl Price {
    /// Reads `1.5 CCD` or `2 EURR`. How many decimals a token has must be said; CCD has 6.
    ///
    /// # Errors
    /// [`Error::Price`] says what is wrong.
    pub fn parse(text: &str, token_decimals: Option<u8>) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Price { price: text.to_owned(), reason };
        let (amount, asset) =
            text.split_once(' ').ok_or_else(|| wrong("the asset is missing".to_owned()))?;
        let asset: Asset = asset.trim().parse().map_err(|error| wrong(format!("{error}")))?;
        let decimals = match (&asset, token_decimals) {
            (Asset::Ccd, None | Some(CCD_DECIMALS)) => CCD_DECIMALS,
            (Asset::Ccd, Some(_)) => return Err(wrong("CCD has 6 decimals".to_owned())),
            (Asset::Token(_), Some(decimals)) if decimals <= DECIMALS_MAX => decimals,
            (Asset::Token(_), Some(_)) => {
                return Err(wrong(format!("a token has at most {DECIMALS_MAX} decimals")));
            }
            (Asset::Token(id), None) => {
                return Err(wrong(format!("say with `decimals` how many decimals {id} has")));
            }
        };
        let amount = Amount::from_decimal(amount, decimals)
            .map_err(|error| wrong(format!("{error} ({decimals} decimals)")))?;
        if amount.units() == 0 {
            return Err(wrong("there is nothing to pay".to_owned()));
        }
        Ok(Self { amount, asset, decimals })
    }
}

/// As people write it: `1.5 CCD`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_decimal(self.decimals), self.asset)
    }
}

impl Pricing {
    /// Prices that an async function finds for each 402. It is given [`FINDING_TIME_MAX`]; where it
    /// fails, panics, takes longer, or finds none, more than [`PRICES_MAX`] or a price of nothing,
    /// the request is answered 500 and nothing is handed out.
    ///
    /// It is not asked about payments: they are held to the offer that they accepted.
    pub fn by<F, Found, E>(find: F) -> Self
    where
        F: Fn(Asked) -> Found + Send + Sync + 'static,
        Found: Future<Output = Result<Vec<Price>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Kind::Found(Arc::new(move |asked| {
            let found = find(asked);
            Box::pin(async move { found.await.map_err(Into::into) })
        })))
    }

    /// The same with a function that finds them at once. It must not wait for anything.
    pub fn by_sync<F, E>(find: F) -> Self
    where
        F: Fn(&Asked) -> Result<Vec<Price>, E> + Send + Sync + 'static,
        E: Into<BoxError>,
    {
        Self(Kind::Found(Arc::new(move |asked| {
            let found = find(&asked).map_err(Into::into);
            Box::pin(std::future::ready(found))
        })))
    }

    /// Whether prices that are said can be offered. Those that are found are looked at then.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.0 {
            Kind::Said(prices) => check(prices),
            Kind::Found(_) => Ok(()),
        }
    }

    /// Whether the request matters.
    pub(crate) fn depends(&self) -> bool {
        matches!(self.0, Kind::Found(_))
    }

    /// The prices for this request; `asked` is there wherever the prices depend on it.
    pub(crate) async fn find(&self, asked: Option<&Asked>) -> Result<Vec<Price>, NotFound> {
        let find = match &self.0 {
            Kind::Said(prices) => return Ok(prices.clone()),
            Kind::Found(find) => Arc::clone(find),
        };
        let asked = asked.cloned().ok_or(NotFound)?;
        // In a task of its own: a panic in there ends there.
        let found =
            tokio::spawn(tokio::time::timeout(FINDING_TIME_MAX, async move { find(asked).await }));
        let failure = match found.await {
            Ok(Ok(Ok(prices))) => match check(&prices) {
                Ok(()) => return Ok(prices),
                Err(reason) => reason,
            },
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "it took too long".to_owned(),
            Err(_) => "it panicked".to_owned(),
        };
        tracing::error!(error = failure, "the function of a route found no price");
        Err(NotFound)
    }
}

impl From<Price> for Pricing {
    fn from(price: Price) -> Self {
        Self(Kind::Said(vec![price]))
    }
}

impl From<Vec<Price>> for Pricing {
    fn from(prices: Vec<Price>) -> Self {
        Self(Kind::Said(prices))
    }
}

impl fmt::Debug for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Said(prices) => prices.fmt(f),
            Kind::Found(_) => f.write_str("by function"),
        }
    }
}

fn check(prices: &[Price]) -> Result<(), String> {
    if !(1..=PRICES_MAX).contains(&prices.len()) {
        return Err(format!("it has {} prices, not 1 to {PRICES_MAX}", prices.len()));
    }
    if prices.iter().any(|price| price.amount.units() == 0) {
        return Err("there is nothing to pay".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_people_write_them() {
        let ccd = Price::parse("1.5 CCD", None).unwrap();
        assert_eq!((ccd.amount.units(), ccd.decimals), (1_500_000, 6));
        let token = Price::parse("2 EURR", Some(2)).unwrap();
        assert_eq!((token.amount.units(), token.asset), (200, Asset::Token("EURR".into())));
        let wrong = ["", "1.5", "CCD", "0 CCD", "-1 CCD", "1 ccd", "1.0000001 CCD", "2 EURR"];
        for text in wrong {
            assert!(Price::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn prices_are_shown_as_people_write_them() {
        for (text, decimals) in [("1.5 CCD", None), ("0.05 EURR", Some(2)), ("3 EURR", Some(0))] {
            assert_eq!(Price::parse(text, decimals).unwrap().to_string(), text);
        }
    }
}
