//! Which of several offers is taken: by limits, balances, proof, cost, and the way that is wanted.

use serde_json::{Value, json};

use super::story::adult;
use super::*;
use crate::payer::options::Way;
use crate::payer::record::Means;

/// Whoever pays fees.
const SPONSOR: [u8; 32] = [9; 32];

/// Makes an offer one of a sponsored payment.
pub(super) fn sponsored(offer: &mut Value) {
    let sponsor = ccd402_domain::account::AccountAddress::from_bytes(SPONSOR);
    offer["extra"] = json!({ "feePayer": sponsor });
}

/// The offers of a 402, made of the first: asset, price, whether it is sponsored.
fn offers(required: &mut Value, list: &[(&str, u64, bool)]) {
    let first = required["accepts"][0].clone();
    let made = list.iter().map(|(asset, units, is_sponsored)| {
        let mut offer = first.clone();
        offer["asset"] = json!(asset);
        let name = if offer.get("amount").is_some() { "amount" } else { "maxAmountRequired" };
        offer[name] = json!(units.to_string());
        if *is_sponsored {
            sponsored(&mut offer);
        }
        offer
    });
    required["accepts"] = made.collect();
}

/// Offers as they change with the test; prices in the sixth decimal.
type Demand = fn(&mut Value);

const BOTH: Demand = |required| {
    offers(required, &[("CCD", 1_500_000, false), ("CCD", 1_500_000, true)]);
};
const SPONSOR_IS_DEAR: Demand = |required| {
    offers(required, &[("CCD", 2_500_000, true), ("CCD", 1_500_000, false)]);
};
const ASSETS: Demand = |required| {
    offers(required, &[("CCD", 1_500_000, false), ("EURR", 2_000_000, true)]);
};
const TOKENS: Demand = |required| {
    offers(
        required,
        &[("CCD", 1_500_000, false), ("EURR", 2_000_000, false), ("EURR", 2_000_000, true)],
    );
};
const DEAR_TOKEN: Demand = |required| {
    offers(required, &[("EURR", 2_000_000, false), ("EURR", 3_000_000, true)]);
};
const CHEAPER: Demand = |required| {
    offers(required, &[("EURR", 3_000_000, true), ("EURR", 2_000_000, true)]);
};
const PROVEN: Demand = |required| {
    offers(required, &[("CCD", 1_500_000, true), ("CCD", 1_500_000, false)]);
    for offer in required["accepts"].as_array_mut().unwrap() {
        offer["extra"]["identity"] = json!({ "statement": [adult()] });
    }
};

/// What is taken: asset, units, whether it is sponsored.
type Taken = (&'static str, u64, bool);
/// What is offered, what of the wallet is changed, what is taken.
type Row = (&'static str, Demand, Setup, Taken);

const TABLE: &[Row] = &[
    ("at one price the sponsored one", BOTH, |_| {}, CCD_SPONSORED),
    ("the fee is cheaper than the sponsor", SPONSOR_IS_DEAR, |_| {}, CCD_HASH),
    ("a dear sponsor, and no CCD for either", DEAR_TOKEN, |w| set(w, "CCD", 5), EURR_DEAR),
    ("the server's order between assets", ASSETS, |_| {}, CCD_HASH),
    ("without CCD", ASSETS, |world| set(world, "CCD", 0), EURR_SPONSORED),
    ("without CCD for the fee", TOKENS, |world| set(world, "CCD", 0), EURR_SPONSORED),
    ("the price but not the fee", BOTH, |world| set(world, "CCD", 1_500_000), CCD_SPONSORED),
    ("the cheaper of two", CHEAPER, |_| {}, EURR_SPONSORED),
    ("only one is affordable", CHEAPER, |world| set(world, "EURR", 2_500_000), EURR_SPONSORED),
    ("a proof goes with a hash alone", PROVEN, |_| {}, CCD_HASH),
];
const CCD_HASH: Taken = ("CCD", 1_500_000, false);
const CCD_SPONSORED: Taken = ("CCD", 1_500_000, true);
const EURR_DEAR: Taken = ("EURR", 3_000_000, true);
const EURR_SPONSORED: Taken = ("EURR", 2_000_000, true);

type Setup = fn(&World);

fn set(world: &World, asset: &'static str, units: u64) {
    world.chain.state().balances.insert(asset, units);
}

pub(super) fn any_asset(options: Options) -> Options {
    let limit =
        |asset: &str| Limit { asset: asset.parse().unwrap(), amount: "5000000".parse().unwrap() };
    Options { limits: vec![limit("CCD"), limit("EURR")], ..options }
}

#[tokio::test]
async fn the_offer_that_is_affordable_provable_and_cheapest_is_taken() {
    for (row, demand, setup, expected) in TABLE {
        let world = World::start().await;
        world.server.state().versions = vec![ccd402_protocol::version::X402Version::V2];
        world.server.state().tweak_required = *demand;
        setup(&world);
        let (answer, _) = world.run_with(any_asset(world.options())).await.unwrap();
        let record = answer.payment.unwrap().record;
        let is_sponsored = matches!(record.means, Means::Sponsored { .. });
        let taken = (record.asset.to_string(), record.amount.units(), is_sponsored);
        assert_eq!(taken, (expected.0.to_owned(), expected.1, expected.2), "{row}");
    }
}

#[tokio::test]
async fn a_way_that_is_demanded_excludes_the_other() {
    for (way, is_sponsored) in [(Way::Hash, false), (Way::Sponsored, true)] {
        let world = World::start().await;
        world.server.state().tweak_required = BOTH;
        let options = Options { way: Some(way), ..world.options() };
        let (answer, _) = world.run_with(options).await.unwrap();
        let record = answer.payment.unwrap().record;
        assert_eq!(record.sequence_number().is_some(), is_sponsored, "{way:?}");
    }
    let world = World::start().await;
    world.server.state().tweak = sponsored;
    let options = Options { way: Some(Way::Hash), ..world.options() };
    let error = world.run_with(options).await.unwrap_err();
    assert_eq!(error.code(), "no_offer_for_wallet", "{error}");
    assert!(world.chain.state().orders.is_empty() && world.records().is_empty());
}

#[tokio::test]
async fn a_sponsored_offer_that_cannot_be_met_is_refused_before_anything_is_signed() {
    let table: &[(&str, &str, Demand)] = &[
        ("no_offer_for_wallet", "identity proof", |offer| {
            offer["extra"]["identity"] = json!({ "statement": [adult()] });
        }),
        ("payment_required_unreadable", "extra.feePayer", |offer| {
            offer["extra"]["feePayer"] = json!("us");
        }),
        ("no_offer_for_wallet", "or sponsored", |offer| offer["extra"] = json!({})),
        ("challenge_expired", "5 s are left", |offer| offer["maxTimeoutSeconds"] = json!(10)),
        ("offer_for_other_resource", "POST", |offer| offer["extra"]["method"] = json!("POST")),
        ("over_limit", "7 CCD", |offer| {
            let v1 = offer.get("amount").is_none();
            offer[if v1 { "maxAmountRequired" } else { "amount" }] = json!("7000000");
        }),
        ("insufficient_funds", "4 CCD needed, 3 CCD held", |offer| {
            let v1 = offer.get("amount").is_none();
            offer[if v1 { "maxAmountRequired" } else { "amount" }] = json!("4000000");
        }),
    ];
    static CHANGE: Mutex<Option<Demand>> = Mutex::new(None);
    for (code, text, change) in table {
        let world = World::start().await;
        set(&world, "CCD", 3_000_000);
        *CHANGE.lock().unwrap() = Some(*change);
        world.server.state().tweak = |offer| {
            sponsored(offer);
            CHANGE.lock().unwrap().unwrap()(offer);
        };
        let error = world.run().await.unwrap_err();
        assert_eq!(error.code(), *code, "{text}: {error}");
        assert!(error.to_string().contains(text), "{text}: {error}");
        assert!(world.chain.state().orders.is_empty() && world.records().is_empty(), "{text}");
    }
}
