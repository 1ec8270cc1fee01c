//! Many at once: of one payment one succeeds, of one payer all that it can pay.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use super::kit::{PRICE, Stage};

/// Calls that settle one payment at the same time.
const CALLS: usize = 1_000;
/// Payments of one payer that are on their way at once.
const FLIGHTS: usize = 50;

fn counts(answers: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let reason = answer["errorReason"].as_str().or(answer["invalidReason"].as_str());
        *counts.entry(reason.unwrap_or("yes").to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_calls_that_settle_one_payment_one_succeeds() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "CCD").await;
    let calls = (0..CALLS).map(|_| stage.ask("/settle", &payment, 60));
    let answers = join_all(calls).await;
    let expected = [("duplicate_settlement".to_owned(), CALLS - 1), ("yes".to_owned(), 1)];
    assert_eq!(counts(&answers), BTreeMap::from(expected));
    let hashes: Vec<_> = answers.iter().map(|answer| &answer["transaction"]).collect();
    assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "there is one transaction");
    assert_eq!(stage.received("CCD").await, PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_one_key_all_hear_the_one_success() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "CCD").await;
    let url = format!("{}/settle", stage.running.url());
    let call = || async {
        let post = stage.http.post(&url).header("idempotency-key", "one").json(&payment);
        let answer: Value = post.send().await.unwrap().json().await.unwrap();
        answer
    };
    let answers = join_all((0..50).map(|_| call())).await;
    assert_eq!(counts(&answers), BTreeMap::from([("yes".to_owned(), 50)]));
    assert_eq!(stage.received("CCD").await, PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_payments_of_one_payer_fly_at_once() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let mut payments = Vec::new();
    for _ in 0..FLIGHTS {
        payments.push(stage.payment(&payer, "CCD").await);
    }
    let held = join_all(payments.iter().map(|payment| stage.ask("/verify", payment, 30))).await;
    assert_eq!(counts(&held), BTreeMap::from([("yes".to_owned(), FLIGHTS)]));
    // The last number first: none is sent before those below it.
    let calls = payments.iter().rev().map(|payment| stage.ask("/settle", payment, 60));
    let settled = join_all(calls).await;
    assert_eq!(counts(&settled), BTreeMap::from([("yes".to_owned(), FLIGHTS)]));
    assert_eq!(stage.received("CCD").await, FLIGHTS as u64 * PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_payer_cannot_pay_is_refused_when_it_is_verified() {
    let stage = Stage::new().await;
    let affordable = 10;
    let payer = stage.payer(15).await;
    let mut payments = Vec::new();
    for _ in 0..FLIGHTS {
        payments.push(stage.payment(&payer, "CCD").await);
    }
    let held = join_all(payments.iter().map(|payment| stage.ask("/verify", payment, 30))).await;
    let counted = counts(&held);
    assert_eq!(counted["yes"], affordable, "{counted:?}");
    assert!(counted["preflight_insufficient_funds"] >= 1, "{counted:?}");
    let settled = join_all(payments.iter().map(|payment| stage.ask("/settle", payment, 60))).await;
    assert_eq!(counts(&settled)["yes"], affordable);
    for (held, settled) in held.iter().zip(&settled) {
        assert_eq!(held["isValid"], settled["success"], "{held} {settled}");
    }
    assert_eq!(stage.received("CCD").await, affordable as u64 * PRICE);
    stage.stop().await;
}
