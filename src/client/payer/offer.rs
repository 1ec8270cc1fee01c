//! Whether an offer may be accepted, as far as the offer alone says it.
//!
//! In this order: way of paying, network, values, resource, challenge and time, proof asked for.
//! What needs the wallet comes after it, in `plan`.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::{self, Resource};
use ccd402_domain::challenge::Challenge;
use ccd402_domain::ids::Digest;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::{FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use reqwest::Url;

use crate::payer::demand::{Offer, shown};
use crate::payer::error::Error;
use crate::payer::options::Way;

/// Longest life of a transaction that nodes take is two hours.
const EXPIRY_MAX: TimeDelta = TimeDelta::minutes(110);
/// Longest time that a challenge may be open: what facilitators take.
const WINDOW_MAX: TimeDelta = TimeDelta::hours(24);
/// How far clocks may disagree.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// How much sooner a sponsored transaction expires than its offer allows: the facilitator's clock may
/// be behind, and it takes none that expires too late.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::seconds(5);

/// Longest life of a sponsored transaction, whatever the offer allows: while it lives nothing can be
/// signed behind it, should it be left behind.
const SPONSORED_EXPIRY_MAX: TimeDelta = TimeDelta::minutes(5);

/// What an offer is held against.
pub(crate) struct Wanted<'a> {
    /// As requested: normalised URL, method.
    pub(crate) resource: &'a Resource,
    /// The wallet's.
    pub(crate) network: &'a NetworkId,
    /// The only way of paying; either, where none is named.
    pub(crate) way: Option<Way>,
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
    pub(crate) how: How,
    /// When what pays it expires.
    pub(crate) expires_at: DateTime<Utc>,
}

/// How it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// By transaction hash; the digest ties the transfer to this request.
    Hash { digest: Digest },
    /// By a transaction that this account pays the fee of.
    Sponsored { sponsor: AccountAddress },
}

/// Reads the terms of an offer.
///
/// # Errors
/// The first thing about it that cannot be accepted.
pub(crate) fn terms(offer: Offer, wanted: &Wanted<'_>) -> Result<Terms, Error> {
    let way = way(&offer)?;
    if wanted.way.is_some_and(|only| only != way) {
        return Err(Error::NoOffer("it is to be paid in a way that is excluded".to_owned()));
    }
    network(&offer, wanted)?;
    let fields = offer.requirements.fields();
    let asset = value("asset", fields.asset.parse::<Asset>())?;
    let amount = value("amount", fields.amount.parse::<Amount>())?;
    let pay_to = value("payTo", fields.pay_to.parse::<AccountAddress>())?;
    if amount.units() == 0 {
        return Err(Error::NotUnderstood("it costs nothing".to_owned()));
    }
    let resource = resource(&offer, way, wanted)?;
    let (how, expires_at) = match way {
        Way::Hash => {
            let closes_at = closes_at(&offer, wanted)?;
            let digest = binding::digest(&resource, offer.requirements.raw());
            (How::Hash { digest }, closes_at.min(wanted.now + EXPIRY_MAX))
        }
        Way::Sponsored => {
            let fee_payer = fields.extra.fee_payer.as_deref().unwrap_or_default();
            let sponsor = value("extra.feePayer", fee_payer.parse::<AccountAddress>())?;
            (How::Sponsored { sponsor }, signed_until(&offer, wanted)?)
        }
    };
    can_be_asked(&offer, way)?;
    Ok(Terms { asset, amount, pay_to, how, expires_at, offer })
}

/// Whether this much time is left before the transfer must be in a block.
fn in_time(expires_at: DateTime<Utc>, wanted: &Wanted<'_>) -> Result<(), Error> {
    if wanted.now + wanted.time_left_min <= expires_at {
        return Ok(());
    }
    let left = (expires_at - wanted.now).num_seconds();
    Err(Error::OutOfTime(format!("{left} s are left of it, a transfer takes longer")))
}

/// The terms' time, looked at again when something is about to be signed: an offer that is open as
/// long as it stands lets a sponsored transaction expire later then.
pub(crate) fn renewed(terms: &Terms, wanted: &Wanted<'_>) -> Result<DateTime<Utc>, Error> {
    match terms.how {
        How::Hash { .. } => in_time(terms.expires_at, wanted).map(|()| terms.expires_at),
        How::Sponsored { .. } => signed_until(&terms.offer, wanted),
    }
}

/// The way that the offer wants to be paid, as a facilitator reads it: an offer that names no method
/// is of a sponsored payment.
fn way(offer: &Offer) -> Result<Way, Error> {
    let fields = offer.requirements.fields();
    let extra = &fields.extra;
    let is_upfront = extra.payment_flow.as_deref().is_none_or(|flow| flow == FLOW_UPFRONT);
    match extra.asset_transfer_method.as_deref() {
        _ if fields.scheme != SCHEME_EXACT => {}
        Some(METHOD_TRANSACTION_HASH) if is_upfront => return Ok(Way::Hash),
        None if extra.fee_payer.is_some() => return Ok(Way::Sponsored),
        _ => {}
    }
    let scheme = shown(&fields.scheme);
    let reason = format!(
        "it wants scheme {scheme:?} in another way than \"{METHOD_TRANSACTION_HASH}\" or sponsored"
    );
    Err(Error::NoOffer(reason))
}

/// A sponsored payment carries no identity proof; another must be one that can be asked for.
fn can_be_asked(offer: &Offer, way: Way) -> Result<(), Error> {
    let Some(required) = &offer.identity else { return Ok(()) };
    let reason = match way {
        Way::Sponsored => "it asks for an identity proof, which a sponsored payment does not carry",
        Way::Hash if required.is_within_bounds() => return Ok(()),
        Way::Hash => {
            let reason = "the identity proof asked for is empty or too large";
            return Err(Error::NotUnderstood(reason.to_owned()));
        }
    };
    Err(Error::NoOffer(reason.to_owned()))
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
/// text as the server wrote it, in the facilitator's order of precedence. Nothing binds a sponsored
/// payment to a method, so its offer need not name one.
fn resource(offer: &Offer, way: Way, wanted: &Wanted<'_>) -> Result<Resource, Error> {
    let fields = offer.requirements.fields();
    let unnamed = match way {
        Way::Hash => "GET",
        Way::Sponsored => &wanted.resource.method,
    };
    let method = fields.extra.method.as_deref().unwrap_or(unnamed).to_owned();
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

/// Within the offer's time, and its challenge's where it has one that can be read.
fn signed_until(offer: &Offer, wanted: &Wanted<'_>) -> Result<DateTime<Utc>, Error> {
    let extra = &offer.requirements.fields().extra;
    let allowed = i64::try_from(offer.requirements.fields().max_timeout_seconds).ok();
    let allowed = allowed.and_then(TimeDelta::try_seconds).unwrap_or(SPONSORED_EXPIRY_MAX);
    let challenge = extra.challenge.as_deref().and_then(|text| text.parse::<Challenge>().ok());
    let closes_at = challenge.map(|challenge| challenge.window.closes_at);
    let until = wanted.now + allowed.min(SPONSORED_EXPIRY_MAX) - EXPIRY_MARGIN;
    let until = closes_at.map_or(until, |closes_at| closes_at.min(until)).trunc_subsecs(0);
    in_time(until, wanted)?;
    Ok(until)
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
