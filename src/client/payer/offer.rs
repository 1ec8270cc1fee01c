//! Whether an offer may be accepted, as far as the offer alone says it.
//!
//! In this order: way of paying, network, values, resource, challenge and time, size of the proof
//! asked for. What needs the wallet comes after it, in `plan`.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::{self, Resource};
use ccd402_domain::challenge::Challenge;
use ccd402_domain::ids::Digest;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::{FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;

use crate::payer::demand::{Offer, shown};
use crate::payer::error::Error;

/// Longest life of a transaction that nodes take is two hours.
const EXPIRY_MAX: TimeDelta = TimeDelta::minutes(110);
/// Longest time that a challenge may be open: what facilitators take.
const WINDOW_MAX: TimeDelta = TimeDelta::hours(24);
/// How far clocks may disagree.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// What an offer is held against.
pub(crate) struct Wanted<'a> {
    /// As requested: normalised URL, method.
    pub(crate) resource: &'a Resource,
    /// The wallet's.
    pub(crate) network: &'a NetworkId,
    /// Now.
    pub(crate) now: DateTime<Utc>,
    /// Time that must be left.
    pub(crate) time_left_min: TimeDelta,
}

/// An offer that may be accepted if the wallet can meet it.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) offer: Offer,
    pub(crate) asset: Asset,
    pub(crate) amount: Amount,
    pub(crate) pay_to: AccountAddress,
    /// Ties the transfer to this request.
    pub(crate) digest: Digest,
    /// When the transfer expires.
    pub(crate) expires_at: DateTime<Utc>,
}

/// Reads the terms of an offer.
///
/// # Errors
/// The first thing about it that cannot be accepted.
pub(crate) fn terms(offer: Offer, wanted: &Wanted<'_>) -> Result<Terms, Error> {
    way_of_paying(&offer)?;
    network(&offer, wanted)?;
    let fields = offer.requirements.fields();
    let asset = value("asset", fields.asset.parse::<Asset>())?;
    let amount = value("amount", fields.amount.parse::<Amount>())?;
    let pay_to = value("payTo", fields.pay_to.parse::<AccountAddress>())?;
    if amount.units() == 0 {
        return Err(Error::NotUnderstood("it costs nothing".to_owned()));
    }
    let resource = resource(&offer, wanted)?;
    let closes_at = closes_at(&offer, wanted)?;
    if offer.identity.as_ref().is_some_and(|required| !required.is_within_bounds()) {
        let reason = "the identity proof asked for is empty or too large".to_owned();
        return Err(Error::NotUnderstood(reason));
    }
    let digest = binding::digest(&resource, offer.requirements.raw());
    let expires_at = closes_at.min(wanted.now + EXPIRY_MAX);
    Ok(Terms { asset, amount, pay_to, digest, expires_at, offer })
}

/// Whether this much time is left before the transfer must be in a block.
pub(crate) fn in_time(expires_at: DateTime<Utc>, wanted: &Wanted<'_>) -> Result<(), Error> {
    if wanted.now + wanted.time_left_min <= expires_at {
        return Ok(());
    }
    let left = (expires_at - wanted.now).num_seconds();
    Err(Error::OutOfTime(format!("{left} s are left of it, a transfer takes longer")))
}

fn way_of_paying(offer: &Offer) -> Result<(), Error> {
    let fields = offer.requirements.fields();
    let is_ours = fields.scheme == SCHEME_EXACT
        && fields.extra.asset_transfer_method.as_deref() == Some(METHOD_TRANSACTION_HASH)
        && fields.extra.payment_flow.as_deref().is_none_or(|flow| flow == FLOW_UPFRONT);
    if is_ours {
        return Ok(());
    }
    let scheme = shown(&fields.scheme);
    let reason =
        format!("it wants scheme {scheme:?} in another way than \"{METHOD_TRANSACTION_HASH}\"");
    Err(Error::NoOffer(reason))
}

fn network(offer: &Offer, wanted: &Wanted<'_>) -> Result<(), Error> {
    let named = &offer.requirements.fields().network;
    if named.parse().is_ok_and(|id: NetworkId| id == *wanted.network) {
        return Ok(());
    }
    let reason =
        format!("it wants payment on {}, the wallet is on {}", shown(named), wanted.network);
    Err(Error::NoOffer(reason))
}

fn value<T, E: std::fmt::Display>(name: &str, value: Result<T, E>) -> Result<T, Error> {
    value.map_err(|error| Error::NotUnderstood(format!("{name}: {error}")))
}

/// Every place that names the resource must name the one that was asked for. The digest takes the
/// text as the server wrote it, in the facilitator's order of precedence.
fn resource(offer: &Offer, wanted: &Wanted<'_>) -> Result<Resource, Error> {
    let fields = offer.requirements.fields();
    let method = fields.extra.method.clone().unwrap_or_else(|| "GET".to_owned());
    let beside = offer.resource.as_ref().map(|resource| &resource.url);
    let named = [fields.resource.as_ref(), fields.extra.resource.as_ref(), beside];
    let other = |url: &str| Error::OtherResource {
        offered: shown(&format!("{method} {url}")),
        asked: format!("{} {}", wanted.resource.method, wanted.resource.url),
    };
    let mut texts = named.into_iter().flatten();
    let url = texts.next().ok_or_else(|| other("nothing that it names"))?;
    // Two spellings of one URL would be refused later, after the payment.
    if method != wanted.resource.method || !is_same(url, wanted) {
        return Err(other(url));
    }
    match texts.find(|text| *text != url) {
        Some(text) => Err(other(text)),
        None => Ok(Resource { url: url.clone(), method }),
    }
}

fn is_same(text: &str, wanted: &Wanted<'_>) -> bool {
    Url::parse(text).is_ok_and(|url| url.as_str() == wanted.resource.url)
}

fn closes_at(offer: &Offer, wanted: &Wanted<'_>) -> Result<DateTime<Utc>, Error> {
    let unreadable = |reason: &str| Error::NotUnderstood(format!("extra.challenge {reason}"));
    let text = offer.requirements.fields().extra.challenge.as_deref();
    let challenge: Challenge = text
        .ok_or_else(|| unreadable("is missing"))?
        .parse()
        .map_err(|_| unreadable("is not a challenge"))?;
    let window = challenge.window;
    if window.closes_at - window.opens_at > WINDOW_MAX {
        return Err(unreadable("is open for too long"));
    }
    if window.opens_at > wanted.now + CLOCK_SKEW {
        return Err(unreadable("opens in the future; is this computer's clock right?"));
    }
    let proof_life = offer.identity.as_ref().and_then(|required| required.valid_for);
    let proof_until = proof_life
        .and_then(|seconds| i64::try_from(seconds).ok())
        .and_then(TimeDelta::try_seconds)
        .and_then(|life| window.opens_at.checked_add_signed(life));
    let closes_at = proof_until.map_or(window.closes_at, |until| until.min(window.closes_at));
    in_time(closes_at, wanted)?;
    Ok(closes_at)
}
