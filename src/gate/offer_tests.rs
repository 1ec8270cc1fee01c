//! Offers as the facilitator reads them.

use std::time::Duration;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::payment::{ConsumeOn, Payment, Policy};
use ccd402_domain::preset::Preset;
use ccd402_protocol::presented::PresentedPayment;

use super::*;
use crate::price::Price;
use crate::secret::Secret;
use crate::ways::Flow;

fn route() -> Route {
    let price = Price::parse("1.5 CCD", None).unwrap();
    Route {
        identity: Preset { min_age: Some(18), ..Preset::default() },
        description: Some("A report".to_owned()),
        challenge_life: Duration::from_secs(300),
        ..Route::new("/report".parse().unwrap(), price, AccountAddress::from_bytes([7; 32]))
    }
}

fn resource() -> Resource {
    Resource { method: "GET".into(), url: "https://x.example/report".into() }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 5).unwrap()
}

fn offers(route: &Route, fee_payer: Option<u8>, prices: &[&str]) -> Result<Offers, ReasonCode> {
    let network = "concordium-testnet".parse().unwrap();
    let sealer = Sealer::new(&Secret::new(vec![1; 32]).unwrap());
    let fee_payer = fee_payer.map(|byte| AccountAddress::from_bytes([byte; 32]));
    let seller = Seller { network: &network, sealer: &sealer, fee_payer };
    let mut fresh = Fresh { now: now(), nonces: [[0; NONCE_BYTES]; OFFERS_MAX] };
    fresh.nonces.iter_mut().zip(1..).for_each(|(nonce, byte)| *nonce = [byte; NONCE_BYTES]);
    let sale = Sale { route, resource: &resource() };
    let prices = prices.iter().map(|text| {
        let decimals = if text.ends_with("CCD") { None } else { Some(2) };
        Price::parse(text, decimals).unwrap()
    });
    let offers = Offers::make(&seller, &sale, prices.collect(), &fresh)?;
    for offer in offers.v1.accepts.iter().chain(&offers.v2.accepts) {
        assert!(sealer.is_ours(offer, &resource()));
    }
    Ok(offers)
}

/// Asset, amount and way of each offer.
fn listed(accepts: &[Value]) -> Vec<String> {
    let listed = accepts.iter().map(|offer| {
        let amount = offer.get("amount").unwrap_or(&offer["maxAmountRequired"]);
        let extra = &offer["extra"];
        let way = extra.get("assetTransferMethod").unwrap_or(&extra["feePayer"]);
        let [amount, asset, way] = [amount, &offer["asset"], way].map(|it| it.as_str().unwrap());
        format!("{amount} {asset} {}", if way.len() > 20 { "sponsored" } else { way })
    });
    listed.collect()
}

fn made() -> (Offers, Resource, DateTime<Utc>) {
    (offers(&route(), Some(3), &["1.5 CCD"]).unwrap(), resource(), now())
}

#[test]
fn every_price_is_offered_in_every_way() {
    let open = Route { identity: Preset::default(), ..route() };
    let two = offers(&open, Some(3), &["1.5 CCD", "0.05 EURR"]).unwrap();
    let hash = ["1500000 CCD transaction-hash", "5 EURR transaction-hash"];
    assert_eq!(listed(&two.v1.accepts), hash, "v1 has no place for the offer that was accepted");
    let (ccd, euro) = ("1500000 CCD sponsored", "5 EURR sponsored");
    assert_eq!(listed(&two.v2.accepts), [ccd, hash[0], euro, hash[1]]);
    let challenges: std::collections::BTreeSet<_> = two
        .v1
        .accepts
        .iter()
        .chain(&two.v2.accepts)
        .map(|offer| offer["extra"]["challenge"].to_string())
        .collect();
    assert_eq!(challenges.len(), 6, "each has fresh bytes");
}

#[test]
fn sponsored_offers_are_left_out_where_nobody_would_take_them() {
    let open = || Route { identity: Preset::default(), ..route() };
    let hash = ["1500000 CCD transaction-hash"];
    let rows = [
        ("nobody sponsors", open(), None),
        ("a proof is asked for", route(), Some(3)),
        ("the sponsor would be paid", open(), Some(7)),
        ("the route does not want it", Route { ways: vec![Way::Hash], ..open() }, Some(3)),
    ];
    for (name, route, fee_payer) in rows {
        let made = offers(&route, fee_payer, &["1.5 CCD"]).unwrap();
        assert_eq!(listed(&made.v2.accepts), hash, "{name}");
    }
    let only = Route { ways: vec![Way::Sponsored, Way::Sponsored], ..open() };
    let made = offers(&only, Some(3), &["1.5 CCD"]).unwrap();
    assert_eq!(listed(&made.v2.accepts), ["1500000 CCD sponsored"]);
    assert!(made.v1.accepts.is_empty());
    let nothing = offers(&only, None, &["1.5 CCD"]).unwrap_err();
    assert_eq!(nothing, ReasonCode::FacilitatorUnavailable);
}

#[test]
fn a_sponsored_offer_is_as_the_specification_has_it() {
    let open = Route { identity: Preset::default(), ..route() };
    let made = offers(&open, Some(3), &["1.5 CCD"]).unwrap();
    let extra = &made.v2.accepts[0]["extra"];
    let fee_payer = AccountAddress::from_bytes([3; 32]).to_string();
    assert_eq!(extra["feePayer"], fee_payer);
    for absent in ["assetTransferMethod", "paymentFlow", "consumeOn", "identity"] {
        assert!(extra.get(absent).is_none(), "{absent}");
    }
    let upfront = Route { flow: Flow::Upfront, ..open };
    let made = offers(&upfront, Some(3), &["1.5 CCD"]).unwrap();
    assert_eq!(made.v2.accepts[0]["extra"]["paymentFlow"], "upfront");
}

#[test]
fn what_is_dropped_is_dropped_for_people_too() {
    let open = Route { identity: Preset::default(), ..route() };
    let mut made = offers(&open, Some(3), &["1.5 CCD", "2 EURR"]).unwrap();
    let mut left = Vec::new();
    loop {
        left.push((made.v2.accepts.len(), made.prices.len(), made.ways.len()));
        if !made.drop_last() {
            break;
        }
    }
    assert_eq!(left, [(4, 2, 2), (2, 1, 2), (1, 1, 1)]);
    assert_eq!(listed(&made.v2.accepts), ["1500000 CCD sponsored"]);
    assert_eq!(made.v1.accepts.len(), 2);
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
