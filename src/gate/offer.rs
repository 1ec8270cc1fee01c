//! Offers of both versions for one request to one route: what it costs, sealed.
//!
//! Time and randomness are arguments.

use ccd402_domain::binding::Resource;
use ccd402_domain::challenge::{NONCE_BYTES, Window};
use ccd402_protocol::identity::{EXTENSION, IdentityRequirement};
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::payload::ResourceInfo;
use ccd402_protocol::required::{PaymentRequiredV1, PaymentRequiredV2};
use ccd402_protocol::requirements::{Extra, FLOW_UPFRONT, METHOD_TRANSACTION_HASH, SCHEME_EXACT};
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::challenge::Sealer;
use crate::routes::Route;

/// When the payment is used up: after the upstream has answered.
const CONSUME_ON_SETTLE: &str = "settle";

/// What a 402 says, in both versions.
#[derive(Debug, Clone)]
pub(crate) struct Offers {
    /// The body.
    pub(crate) v1: PaymentRequiredV1,
    /// The header.
    pub(crate) v2: PaymentRequiredV2,
}

/// Whose offers they are.
pub(crate) struct Seller<'a> {
    /// Where payments are made.
    pub(crate) network: &'a NetworkId,
    /// What makes them ours.
    pub(crate) sealer: &'a Sealer,
}

/// The moment of an offer: when, and fresh bytes for each version.
pub(crate) struct Fresh {
    /// Now.
    pub(crate) now: DateTime<Utc>,
    /// Random.
    pub(crate) nonces: [[u8; NONCE_BYTES]; 2],
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
    /// `None` where they cannot be written out, which checked routes rule out.
    pub(crate) fn make(
        seller: &Seller<'_>,
        route: &Route,
        resource: &Resource,
        fresh: &Fresh,
    ) -> Option<Self> {
        let identity = route.identity.requirement(fresh.now.date_naive()).ok()?;
        let extra = extra(route, resource, identity.clone());
        let window = window(route, fresh.now)?;
        let [nonce_v1, nonce_v2] = fresh.nonces;
        let v1 = serde_json::to_value(offer_v1(seller, route, resource, &extra)).ok()?;
        let v2 = serde_json::to_value(offer_v2(seller, route, &extra)).ok()?;
        let v1 = seller.sealer.seal(v1, resource, window, nonce_v1)?;
        let v2 = seller.sealer.seal(v2, resource, window, nonce_v2)?;
        Some(Self {
            v1: PaymentRequiredV1 { x402_version: X402Version::V1, error: None, accepts: vec![v1] },
            v2: PaymentRequiredV2 {
                x402_version: X402Version::V2,
                error: None,
                resource: ResourceInfo {
                    url: resource.url.clone(),
                    description: route.description.clone(),
                    mime_type: route.mime_type.clone(),
                },
                accepts: vec![v2],
                extensions: identity.as_ref().map(extensions),
            },
        })
    }
}

fn window(route: &Route, now: DateTime<Utc>) -> Option<Window> {
    let opens_at = DateTime::from_timestamp(now.timestamp(), 0)?;
    let life = TimeDelta::seconds(i64::try_from(route.challenge_life.as_secs()).ok()?);
    Some(Window { opens_at, closes_at: opens_at.checked_add_signed(life)? })
}

fn extra(route: &Route, resource: &Resource, identity: Option<IdentityRequirement>) -> Extra {
    Extra {
        asset_transfer_method: Some(METHOD_TRANSACTION_HASH.to_owned()),
        fee_payer: None,
        payment_flow: Some(FLOW_UPFRONT.to_owned()),
        challenge: None,
        consume_on: Some(CONSUME_ON_SETTLE.to_owned()),
        method: Some(resource.method.clone()),
        resource: Some(resource.url.clone()),
        decimals: Some(route.price.decimals),
        identity,
    }
}

fn offer_v1<'a>(
    seller: &Seller<'a>,
    route: &'a Route,
    resource: &'a Resource,
    extra: &'a Extra,
) -> OfferV1<'a> {
    OfferV1 {
        scheme: SCHEME_EXACT,
        network: seller.network.v1_name(),
        max_amount_required: route.price.amount.to_string(),
        resource: &resource.url,
        description: route.description.as_deref().unwrap_or_default(),
        mime_type: route.mime_type.as_deref().unwrap_or_default(),
        pay_to: route.pay_to.to_string(),
        max_timeout_seconds: route.challenge_life.as_secs(),
        asset: route.price.asset.to_string(),
        extra,
    }
}

fn offer_v2<'a>(seller: &Seller<'a>, route: &Route, extra: &'a Extra) -> OfferV2<'a> {
    OfferV2 {
        scheme: SCHEME_EXACT,
        network: seller.network.as_str(),
        asset: route.price.asset.to_string(),
        amount: route.price.amount.to_string(),
        pay_to: route.pay_to.to_string(),
        max_timeout_seconds: route.challenge_life.as_secs(),
        extra,
    }
}

fn extensions(identity: &IdentityRequirement) -> Map<String, Value> {
    Map::from_iter([(EXTENSION.to_owned(), json!({ "info": identity }))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ccd402_domain::account::AccountAddress;
    use ccd402_domain::payment::{ConsumeOn, Payment, Policy};
    use ccd402_domain::preset::Preset;
    use ccd402_protocol::presented::PresentedPayment;

    use super::*;
    use crate::routes::Price;
    use crate::secret::Secret;

    fn route() -> Route {
        Route {
            pattern: "/report".parse().unwrap(),
            methods: Route::methods_default(),
            price: Price::parse("1.5 CCD", None).unwrap(),
            pay_to: AccountAddress::from_bytes([7; 32]),
            identity: Preset { min_age: Some(18), ..Preset::default() },
            description: Some("A report".to_owned()),
            mime_type: None,
            challenge_life: Duration::from_secs(300),
        }
    }

    fn made() -> (Offers, Resource, DateTime<Utc>) {
        let resource = Resource { method: "GET".into(), url: "https://x.example/report".into() };
        let now = DateTime::from_timestamp(1_795_000_000, 5).unwrap();
        let network = "concordium-testnet".parse().unwrap();
        let sealer = Sealer::new(&Secret::new(vec![1; 32]).unwrap());
        let seller = Seller { network: &network, sealer: &sealer };
        let fresh = Fresh { now, nonces: [[1; NONCE_BYTES], [2; NONCE_BYTES]] };
        let offers = Offers::make(&seller, &route(), &resource, &fresh).unwrap();
        assert!(sealer.is_ours(&offers.v1.accepts[0], &resource));
        assert!(sealer.is_ours(&offers.v2.accepts[0], &resource));
        (offers, resource, now)
    }

    fn transfer(accepted: Option<&Value>) -> Value {
        let hash = "ab".repeat(32);
        let sender = AccountAddress::from_bytes([8; 32]);
        let binding = json!({ "type": "memo", "accepted": accepted });
        json!({ "txHash": hash, "sender": sender, "binding": binding, "presentation": {} })
    }

    #[test]
    fn the_facilitator_reads_both_offers_as_they_are_meant() {
        let (offers, resource, now) = made();
        let v1 = &offers.v1.accepts[0];
        let v2 = &offers.v2.accepts[0];
        let payload_v1 = json!({
            "x402Version": 1, "scheme": "exact", "network": "concordium-testnet",
            "payload": transfer(Some(v1)),
        });
        let payload_v2 = json!({
            "x402Version": 2, "resource": offers.v2.resource, "accepted": v2,
            "payload": transfer(None), "extensions": offers.v2.extensions,
        });
        for (version, offer, payload) in [(1, v1, payload_v1), (2, v2, payload_v2)] {
            let body = json!({
                "x402Version": version, "paymentPayload": payload, "paymentRequirements": offer,
            });
            let presented = PresentedPayment::decode(body.to_string().as_bytes()).unwrap();
            let policy = Policy {
                network: "concordium-testnet".parse().unwrap(),
                presentation_grace: TimeDelta::hours(24),
                clock_skew: TimeDelta::seconds(10),
            };
            let (payment, _) = Payment::read(&presented, &policy, now).unwrap();
            assert_eq!(payment.amount.units(), 1_500_000);
            assert_eq!(payment.resource, resource);
            assert_eq!(payment.consume_on, ConsumeOn::Settle);
            assert_eq!(payment.window.opens_at.timestamp(), now.timestamp());
            assert_eq!(payment.window.closes_at.timestamp(), now.timestamp() + 300);
            assert_eq!(payment.identity.unwrap().statement.len(), 1);
        }
    }

    #[test]
    fn the_networks_are_named_as_each_version_names_them() {
        let (offers, _, _) = made();
        assert_eq!(offers.v1.accepts[0]["network"], "concordium-testnet");
        assert_eq!(offers.v2.accepts[0]["network"], "ccd:4221332d34e1694168c2a0c0b3fd0f27");
    }
}
