//! Several prices, and prices that a function finds: bounded, and never nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::routing::get as on_get;
use ccd402_domain::amount::Amount;
use ccd402_gate::gate::Options;
use ccd402_gate::price::{Asked, Price, Pricing};
use ccd402_gate::routes::{Route, Routes};
use serde_json::Value;

use crate::kit::facilitator::Scripted;
use crate::kit::sponsored::{is_sponsored, offers, sponsoring};
use crate::kit::{BOTH, Version, code, get, layered, offer, options, payment, present, route};

fn app() -> Router {
    Router::new().fallback(on_get(|| async { "content" }))
}

fn price(text: &str) -> Price {
    Price::parse(text, (!text.ends_with("CCD")).then_some(2)).unwrap()
}

fn selling(facilitator: &Arc<Scripted>, pricing: Pricing) -> Options {
    let mut options = options(facilitator, "1 CCD");
    options.routes =
        Routes::new(vec![Route { price: pricing, ..route("/report", "1 CCD") }]).unwrap();
    options
}

#[tokio::test]
async fn each_of_several_prices_is_taken() {
    let prices = || vec![price("1.5 CCD"), price("0.05 EURR"), price("3 USDR")];
    for version in BOTH {
        let facilitator = sponsoring();
        let gate = layered(selling(&facilitator, prices().into()), app()).await;
        let v2 = offers(&get(gate, "/report").await);
        assert_eq!((v2.len(), v2.iter().filter(|offer| is_sponsored(offer)).count()), (6, 3));
        let all: Vec<Value> = match version {
            Version::V1 => {
                let body: Value = get(gate, "/report").await.json().await.unwrap();
                body["accepts"].as_array().unwrap().clone()
            }
            Version::V2 => v2.into_iter().filter(|offer| !is_sponsored(offer)).collect(),
        };
        let assets: Vec<_> = all.iter().map(|offer| offer["asset"].as_str().unwrap()).collect();
        assert_eq!(assets, ["CCD", "EURR", "USDR"]);
        for (number, offer) in (1..).zip(&all) {
            let payment = payment(version, offer, number);
            let response = present(version, gate, "/report", &payment).await;
            assert_eq!(response.status(), 200, "{offer}");
            let asked = facilitator.with(|state| state.settled.last().unwrap().clone());
            assert_eq!(asked.payment_requirements, *offer);
        }
    }
}

#[tokio::test]
async fn long_addresses_cost_offers_not_clients() {
    let prices = vec![price("1.5 CCD"), price("0.05 EURR"), price("3 USDR"), price("4 GBPR")];
    let gate = layered(selling(&sponsoring(), prices.into()), app()).await;
    assert_eq!(offers(&get(gate, "/report").await).len(), 8);
    let answer = get(gate, &format!("/report?x={}", "y".repeat(1_900))).await;
    assert!(answer.headers()["payment-required"].len() <= 12 * 1024);
    let first = offers(&answer);
    assert!((1..8).contains(&first.len()) && first[0]["asset"] == "CCD");
}

#[tokio::test]
async fn a_function_sees_the_request_and_sets_the_price() {
    let by_query = |asked: &Asked| -> Result<Vec<Price>, std::fmt::Error> {
        assert!(!asked.headers.contains_key("payment-signature"));
        let is_full = asked.uri.query() == Some("full") && asked.method == "GET";
        Ok(vec![price(if is_full { "2 CCD" } else { "1 CCD" })])
    };
    let later = move |asked: Asked| async move {
        tokio::task::yield_now().await;
        by_query(&asked)
    };
    for pricing in [Pricing::by_sync(by_query), Pricing::by(later)] {
        let gate = layered(selling(&Scripted::new(), pricing), app()).await;
        for (path, amount) in [("/report?full", "2000000"), ("/report", "1000000")] {
            let offer = offer(Version::V2, get(gate, path).await).await;
            assert_eq!(offer["amount"], amount);
            let paid = present(Version::V2, gate, path, &payment(Version::V2, &offer, 1)).await;
            assert!(paid.status() == 200 || code(paid).await == "payment_already_used");
        }
    }
}

#[tokio::test]
async fn a_payment_is_held_to_its_offer_and_not_priced_anew() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let rising = Pricing::by_sync(move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        Ok::<_, std::fmt::Error>(vec![price(&format!("{call} CCD"))])
    });
    let gate = layered(selling(&Scripted::new(), rising), app()).await;
    let offer = offer(Version::V2, get(gate, "/report").await).await;
    let paid = present(Version::V2, gate, "/report", &payment(Version::V2, &offer, 1)).await;
    assert_eq!((paid.status().as_u16(), calls.load(Ordering::SeqCst)), (200, 1));
}

#[tokio::test]
async fn a_function_that_finds_no_price_gives_nothing_away() {
    type Found = Result<Vec<Price>, std::fmt::Error>;
    let free = || Price { amount: Amount::from_units(0), ..price("1 CCD") };
    type Find = fn() -> Found;
    let rows: [(&str, Find); 4] = [
        ("fails", || Err(std::fmt::Error)),
        ("panics", || panic!("a fault of the seller's")),
        ("finds none", || Ok(Vec::new())),
        ("finds too many", || Ok(vec![price("1 CCD"); 5])),
    ];
    let mut pricings: Vec<_> =
        rows.into_iter().map(|(name, find)| (name, Pricing::by_sync(move |_| find()))).collect();
    pricings.push(("is free", Pricing::by_sync(move |_| Found::Ok(vec![free()]))));
    pricings.push(("panics later", Pricing::by(|_| async { by_accident().await })));
    for (name, pricing) in pricings {
        let facilitator = Scripted::new();
        let gate = layered(selling(&facilitator, pricing), app()).await;
        let answer = get(gate, "/report").await;
        assert_eq!(answer.status(), 500, "{name}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(!answer.headers().contains_key("payment-required"));
        assert_eq!(code(answer).await, "internal_error", "{name}");
    }
}

async fn by_accident() -> Result<Vec<Price>, std::fmt::Error> {
    tokio::task::yield_now().await;
    panic!("a fault of the seller's")
}
