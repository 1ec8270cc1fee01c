//! Offers of both versions for one request to one route: every price in every way of paying, sealed.
//!
//! Sponsored payments are offered in v2 only: a v1 payment of that kind has no place for the offer
//! that it accepted, without which the gate, which remembers nothing, would not know what was paid.
//! Time and randomness are arguments.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::binding::Resource;
use ccd402_domain::challenge::{NONCE_BYTES, Window};
use ccd402_protocol::bazaar::BAZAAR;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::identity::{EXTENSION, IdentityRequirement};
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::required::{PaymentRequiredV1, PaymentRequiredV2};
use ccd402_protocol::requirements::{Extra, FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::challenge::Sealer;
use crate::listed;
use crate::price::{PRICES_MAX, Price};
use crate::routes::Route;
use crate::ways::Way;

/// When a payment by hash is used up: after the upstream has answered.
const CONSUME_ON_SETTLE: &str = "settle";
/// Most offers of one 402: each price by hash in v1, and in both ways in v2.
pub(crate) const OFFERS_MAX: usize = 3 * PRICES_MAX;

/// What a 402 says, in both versions, and for people.
#[derive(Debug, Clone)]
pub(crate) struct Offers {
    /// The body.
    pub(crate) v1: PaymentRequiredV1,
    /// The header.
    pub(crate) v2: PaymentRequiredV2,
    /// The prices, in the route's order.
    pub(crate) prices: Vec<Price>,
    /// The ways in which each of them may be paid.
    pub(crate) ways: Vec<Way>,
    /// When they end.
    pub(crate) closes_at: DateTime<Utc>,
}

/// Whose offers they are.
pub(crate) struct Seller<'a> {
    /// Where payments are made.
    pub(crate) network: &'a NetworkId,
    /// What makes them ours.
    pub(crate) sealer: &'a Sealer,
    /// Who pays fees, where somebody does.
    pub(crate) fee_payer: Option<AccountAddress>,
}

/// What is sold.
#[derive(Clone, Copy)]
pub(crate) struct Sale<'a> {
    /// Under which terms.
    pub(crate) route: &'a Route,
    /// What was asked for.
    pub(crate) resource: &'a Resource,
}

/// The moment of an offer: when, and fresh bytes for each.
pub(crate) struct Fresh {
    /// Now.
    pub(crate) now: DateTime<Utc>,
    /// Random.
    pub(crate) nonces: [[u8; NONCE_BYTES]; OFFERS_MAX],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferV1<'a> {
    scheme: &'static str,
    network: &'a str,
    max_amount_required: String,
    resource: &'a str,
    // The official clients of v1 insist on both texts.
    description: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    pay_to: String,
    max_timeout_seconds: u64,
    asset: String,
    extra: &'a Extra,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferV2<'a> {
    scheme: &'static str,
    network: &'a str,
    asset: String,
    amount: String,
    pay_to: String,
    max_timeout_seconds: u64,
    extra: &'a Extra,
}

impl Offers {
    /// Offers of the route for one request, open from now on for the route's challenge life.
    ///
    /// # Errors
    /// `facilitator_unavailable` where the route is sold to sponsored payments only and nobody is
    /// known to pay their fees; `internal_error` where the offers cannot be written out, which
    /// checked routes rule out.
    pub(crate) fn make(
        seller: &Seller<'_>,
        sale: &Sale<'_>,
        prices: Vec<Price>,
        fresh: &Fresh,
    ) -> Result<Self, ReasonCode> {
        let ways = ways(seller, sale.route);
        if ways.is_empty() {
            return Err(ReasonCode::FacilitatorUnavailable);
        }
        Self::sealed(seller, sale, (prices, ways), fresh).ok_or(ReasonCode::InternalError)
    }

    fn sealed(
        seller: &Seller<'_>,
        sale: &Sale<'_>,
        (prices, ways): (Vec<Price>, Vec<Way>),
        fresh: &Fresh,
    ) -> Option<Self> {
        let Sale { route, resource } = sale;
        let identity = route.identity.requirement(fresh.now.date_naive()).ok()?;
        let window = window(route, fresh.now)?;
        let mut nonces = fresh.nonces.into_iter();
        let mut seal = |offer| seller.sealer.seal(offer, resource, window, nonces.next()?);
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        for price in &prices {
            for way in &ways {
                let extra = extra(seller, sale, (price, *way), identity.as_ref());
                if *way == Way::Hash {
                    let offer = offer_v1(seller, sale, price, &extra);
                    v1.push(seal(serde_json::to_value(offer).ok()?)?);
                }
                let offer = offer_v2(seller, route, price, &extra);
                v2.push(seal(serde_json::to_value(offer).ok()?)?);
            }
        }
        Some(Self {
            v1: PaymentRequiredV1 { x402_version: X402Version::V1, error: None, accepts: v1 },
            v2: PaymentRequiredV2 {
                x402_version: X402Version::V2,
                error: None,
                resource: listed::info(route, resource),
                accepts: v2,
                extensions: extensions(sale, identity.as_ref()),
            },
            prices,
            ways,
            closes_at: window.closes_at,
        })
    }

    /// Offers the last price no more, or the only one not in its last way; whether there was more
    /// than one offer. The body, which may be long, keeps what it has.
    pub(crate) fn drop_last(&mut self) -> bool {
        let (prices, ways) = (self.prices.len(), self.ways.len());
        match (prices, ways) {
            (2.., _) => self.prices.truncate(prices - 1),
            (_, 2..) => self.ways.truncate(ways - 1),
            _ => return false,
        }
        self.v2.accepts.truncate(self.prices.len() * self.ways.len());
        true
    }
}

/// The route's ways of paying that can be had now. A payer must not be told to have us sponsor a
/// transfer to the sponsor itself: facilitators refuse it.
fn ways(seller: &Seller<'_>, route: &Route) -> Vec<Way> {
    let is_sponsored = route.may_be_sponsored()
        && seller.fee_payer.is_some_and(|payer| !payer.is_alias_of(&route.pay_to));
    let is_open = |way: &Way| match way {
        Way::Hash => true,
        Way::Sponsored => is_sponsored,
    };
    let mut ways: Vec<Way> = Vec::new();
    for way in route.ways.iter().copied().filter(is_open) {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

fn window(route: &Route, now: DateTime<Utc>) -> Option<Window> {
    let opens_at = DateTime::from_timestamp(now.timestamp(), 0)?;
    let life = TimeDelta::seconds(i64::try_from(route.challenge_life.as_secs()).ok()?);
    Some(Window { opens_at, closes_at: opens_at.checked_add_signed(life)? })
}

fn extra(
    seller: &Seller<'_>,
    sale: &Sale<'_>,
    (price, way): (&Price, Way),
    identity: Option<&IdentityRequirement>,
) -> Extra {
    let both = Extra {
        method: Some(sale.resource.method.clone()),
        resource: Some(sale.resource.url.clone()),
        decimals: Some(price.decimals),
        ..Extra::default()
    };
    match way {
        Way::Hash => Extra {
            asset_transfer_method: Some(METHOD_TRANSACTION_HASH.to_owned()),
            payment_flow: Some(FLOW_UPFRONT.to_owned()),
            consume_on: Some(CONSUME_ON_SETTLE.to_owned()),
            identity: identity.cloned(),
            ..both
        },
        Way::Sponsored => Extra {
            fee_payer: seller.fee_payer.as_ref().map(ToString::to_string),
            payment_flow: sale.route.flow.wire(),
            ..both
        },
    }
}

fn offer_v1<'a>(
    seller: &Seller<'a>,
    sale: &Sale<'a>,
    price: &Price,
    extra: &'a Extra,
) -> OfferV1<'a> {
    let Sale { route, resource } = *sale;
    OfferV1 {
        scheme: SCHEME_EXACT,
        network: seller.network.v1_name(),
        max_amount_required: price.amount.to_string(),
        resource: &resource.url,
        description: route.description.as_deref().unwrap_or_default(),
        mime_type: route.mime_type.as_deref().unwrap_or_default(),
        output_schema: listed::output_schema(sale),
        pay_to: route.pay_to.to_string(),
        max_timeout_seconds: route.challenge_life.as_secs(),
        asset: price.asset.to_string(),
        extra,
    }
}

fn offer_v2<'a>(
    seller: &Seller<'a>,
    route: &Route,
    price: &Price,
    extra: &'a Extra,
) -> OfferV2<'a> {
    OfferV2 {
        scheme: SCHEME_EXACT,
        network: seller.network.as_str(),
        asset: price.asset.to_string(),
        amount: price.amount.to_string(),
        pay_to: route.pay_to.to_string(),
        max_timeout_seconds: route.challenge_life.as_secs(),
        extra,
    }
}

fn extensions(
    sale: &Sale<'_>,
    identity: Option<&IdentityRequirement>,
) -> Option<Map<String, Value>> {
    let identity = identity.map(|required| (EXTENSION.to_owned(), json!({ "info": required })));
    let bazaar = listed::extension(sale).map(|extension| (BAZAAR.to_owned(), extension));
    let extensions: Map<_, _> = identity.into_iter().chain(bazaar).collect();
    (!extensions.is_empty()).then_some(extensions)
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
