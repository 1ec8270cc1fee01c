//! The sponsors: what they may spend, what they must keep, and whose keys they have.

use std::time::Duration;

use ccd402_chain::codec;
use ccd402_domain::amount::Amount;
use ccd402_simchain::{FaultKind, Funds, IdentitySpec, List};
use futures::future::join_all;
use serde_json::{Value, json};

use super::kit::{PRICE, Stage};

/// Less than two fees, and more than one.
const ONE_FEE: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_rejects_fails_with_its_reason_and_counts_against_the_budget() {
    let stage = Stage::with(|settings| {
        settings.sponsors.limits.budget_per_day = Some(Amount::from_units(ONE_FEE));
    })
    .await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "EURR").await;
    assert_eq!(stage.verify(&payment).await["isValid"], true);
    // Paused by a transaction that comes before the payment's, and that nobody has seen yet.
    stage.chain.set_paused("EURR", true).await.unwrap();
    let settled = stage.settle(&payment).await;
    assert_eq!(settled["errorReason"], "transaction_failed_on_chain", "{settled}");
    assert_eq!(stage.received("EURR").await, 0);
    let again = stage.settle(&payment).await;
    assert_eq!(again["errorReason"], "transaction_failed_on_chain", "{again}");
    let paused = stage.verify(&stage.payment(&payer, "EURR").await).await;
    assert_eq!(paused["invalidReason"], "sponsor_budget_exceeded", "{paused}");
    let stage = stage.restart().await;
    let more = stage.verify(&stage.payment(&payer, "CCD").await).await;
    assert_eq!(more["invalidReason"], "sponsor_budget_exceeded", "the log remembers: {more}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_paused_is_refused_before_it_costs_anything() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "EURR").await;
    assert_eq!(stage.settle(&payment).await["success"], true, "its token is known now");
    stage.chain.set_paused("EURR", true).await.unwrap();
    let payment = stage.payment(&payer, "EURR").await;
    let refused = until(&stage, &payment, false).await;
    assert_eq!(refused["invalidReason"], "preflight_token_paused", "{refused}");
    stage.chain.set_paused("EURR", false).await.unwrap();
    let held = until(&stage, &payment, true).await;
    assert_eq!(held["payer"], json!(payer.wallet.address()));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_lists_count_from_the_block_that_changes_them() {
    let stage = Stage::new().await;
    let funds = Funds::ccd(1).token("SEKR", 2 * PRICE);
    let payer = stage.payer_with(&stage.chain, IdentitySpec::default(), funds).await;
    let [pays, is_paid] = [payer.wallet.address(), stage.payee].map(|it| codec::sdk_address(&it));
    let set = async |list, account, is_listed| {
        stage.chain.set_listed("SEKR", list, account, is_listed).await.unwrap();
    };
    let refused = async |payment: &Value, code: &str, who: &str| {
        let refused = until(&stage, payment, false).await;
        assert_eq!(refused["invalidReason"], code, "{refused}");
        assert!(refused["invalidMessage"].as_str().unwrap().contains(who), "{refused}");
    };
    let payment = stage.payment(&payer, "SEKR").await;
    refused(&payment, "preflight_token_not_allowed", "the recipient is not").await;
    set(List::Allow, is_paid, true).await;
    assert_eq!(until(&stage, &payment, true).await["payer"], json!(payer.wallet.address()));
    assert_eq!(stage.settle(&payment).await["success"], true);

    let payment = stage.payment(&payer, "SEKR").await;
    set(List::Deny, pays, true).await;
    refused(&payment, "preflight_token_denied", "the payer is on").await;
    set(List::Deny, pays, false).await;
    set(List::Allow, pays, false).await;
    let code = json!("preflight_token_not_allowed");
    answered(&stage, &payment, |answer| answer["invalidReason"] == code).await;
    set(List::Allow, pays, true).await;
    assert_eq!(until(&stage, &payment, true).await["isValid"], true);
    assert_eq!(stage.received("SEKR").await, PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_counts_from_its_block_and_the_old_one_no_more() {
    let stage = Stage::new().await;
    let file = stage.chain.issue(IdentitySpec::default(), Funds::ccd(100)).await.unwrap();
    let old = stage.payer_of(file.clone()).await;
    let payment = stage.payment(&old, "CCD").await;
    assert_eq!(stage.settle(&payment).await["success"], true, "its keys are known now");
    let (offer, order) = (stage.offer("CCD"), stage.order("CCD"));
    let next = old.wallet.next_sequence_number().await.unwrap();

    let (file, _) = stage.chain.rekey(&file).unwrap();
    let new = stage.payer_of(file).await;
    let by_old = stage.numbered(&old, &offer, &order, next + 1).await;
    let by_new = stage.numbered(&new, &offer, &order, next + 1).await;
    let code = json!("invalid_sender_signature");
    answered(&stage, &by_old, |answer| answer["invalidReason"] == code).await;
    let settled = stage.settle(&by_new).await;
    assert_eq!(settled["success"], true, "{settled}");
    let late = stage.settle(&by_old).await;
    assert_eq!(late["success"], false, "{late}");
    assert_eq!(stage.received("CCD").await, 2 * PRICE);
    stage.stop().await;
}

/// What a payment is answered once it is so valid.
async fn until(stage: &Stage, payment: &Value, is_valid: bool) -> Value {
    answered(stage, payment, |answer| answer["isValid"] == is_valid).await
}

/// What a payment is answered once this is so.
async fn answered(stage: &Stage, payment: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let answered = async {
        loop {
            let answer = stage.verify(payment).await;
            if is_so(&answer) {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answered).await.expect("it comes true in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_node_answers_nothing_is_held_and_what_is_written_down_is_sent_later() {
    let stage = Stage::new().await;
    let (known, stranger) = (stage.payer(100).await, stage.payer(100).await);
    let first = stage.payment(&known, "CCD").await;
    assert_eq!(stage.verify(&first).await["isValid"], true);
    let other = stage.payment(&stranger, "CCD").await;
    stage.chain.fault(FaultKind::FailRpc {
        method: None,
        code: 14,
        message: "try again later".to_owned(),
    });
    let url = format!("{}/verify", stage.running.url());
    // They wait for one answer, which is no answer: it is nobody's later.
    let asked = (0..8).map(|_| stage.http.post(&url).json(&other).send());
    for away in join_all(asked).await {
        assert_eq!(away.unwrap().status(), 503, "it is not known, and nobody can be asked");
    }
    let pending = stage.ask("/settle", &first, 1).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending}");
    stage.chain.clear_faults();
    assert_eq!(stage.settle(&first).await["success"], true);
    assert_eq!(stage.settle(&other).await["success"], true);
    assert_eq!(stage.received("CCD").await, 2 * PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsor_that_runs_out_refuses_before_it_signs() {
    let kept = Amount::from_units(1_000_000_000 - ONE_FEE);
    let stage = Stage::with(|settings| settings.sponsors.limits.balance_min = kept).await;
    let payer = stage.payer(100).await;
    let first = stage.payment(&payer, "CCD").await;
    assert_eq!(stage.verify(&first).await["isValid"], true);
    let second = stage.payment(&payer, "CCD").await;
    let refused = stage.verify(&second).await;
    assert_eq!(refused["invalidReason"], "preflight_insufficient_sponsor_funds", "{refused}");
    let stage = stage.restart().await;
    let refused = stage.verify(&second).await;
    assert_eq!(
        refused["invalidReason"], "preflight_insufficient_sponsor_funds",
        "what is promised is known again after a restart: {refused}"
    );
    assert_eq!(stage.settle(&first).await["success"], true, "what was promised is kept");
    assert_eq!(stage.received("CCD").await, PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_does_not_sign_for_its_account_is_refused_at_start() {
    let stage = Stage::new().await;
    let [one, other] = [0, 1].map(|_| stage.chain.issue(IdentitySpec::default(), Funds::ccd(10)));
    let (mut one, other) = (one.await.unwrap(), other.await.unwrap());
    one.account_keys = other.account_keys;
    let refused = stage.start_another(|settings| settings.sponsors.wallets = vec![one]).await;
    assert!(refused.contains("does not sign for the account"), "{refused}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_with_its_time_and_may_be_taken_again() {
    let stage = Stage::with(|settings| {
        settings.sponsors.limits.hold = chrono::TimeDelta::seconds(2);
    })
    .await;
    let payer = stage.payer(2).await;
    let (offer, order) = (stage.offer("CCD"), stage.order("CCD"));
    let number = payer.wallet.next_sequence_number().await.unwrap();
    let first = stage.numbered(&payer, &offer, &order, number).await;
    assert_eq!(stage.verify(&first).await["isValid"], true);
    // Another payment with the same number, for something dearer to expire later.
    let mut later = order.clone();
    later.expires_at += chrono::TimeDelta::seconds(1);
    let second = stage.numbered(&payer, &offer, &later, number).await;
    let refused = stage.verify(&second).await;
    assert_eq!(refused["invalidReason"], "preflight_nonce_mismatch", "{refused}");
    let lapsed = async {
        while stage.verify(&second).await["isValid"] == false {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), lapsed).await.unwrap();
    let refused = stage.settle(&first).await;
    assert_eq!(refused["errorReason"], "preflight_nonce_mismatch", "{refused}");
    assert_eq!(stage.settle(&second).await["success"], true);
    assert_eq!(stage.received("CCD").await, PRICE);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_given_back_is_free_at_once() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let (offer, order) = (stage.offer("CCD"), stage.order("CCD"));
    let number = payer.wallet.next_sequence_number().await.unwrap();
    let first = stage.numbered(&payer, &offer, &order, number).await;
    let held = stage.verify(&first).await;
    let mut later = order.clone();
    later.expires_at += chrono::TimeDelta::seconds(1);
    let second = stage.numbered(&payer, &offer, &later, number).await;
    assert_eq!(stage.verify(&second).await["isValid"], false);
    let (id, reservation) = (&held["extra"]["verification"], &held["extra"]["reservation"]);
    let release = |reservation: serde_json::Value| {
        let url = stage.running.url();
        let url = format!("{url}/v1/verifications/{}/release", id.as_str().unwrap());
        stage.http.post(url).json(&json!({ "reservation": reservation })).send()
    };
    let another = json!("00000000-0000-4000-8000-000000000000");
    assert_eq!(release(another).await.unwrap().status(), 409);
    for _ in 0..2 {
        let released = release(reservation.clone()).await.unwrap();
        assert!(released.status().is_success(), "{released:?}");
    }
    assert_eq!(stage.verify(&second).await["isValid"], true);
    assert_eq!(stage.settle(&second).await["success"], true);
    assert_eq!(stage.verify(&first).await["invalidReason"], "preflight_nonce_mismatch");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_that_is_known_costs_no_node_a_call() {
    let stage = Stage::new().await;
    let payer = stage.payer(500).await;
    for asset in ["CCD", "EURR"] {
        assert_eq!(stage.settle(&stage.payment(&payer, asset).await).await["success"], true);
    }
    // No more blocks: what is asked for from now on is asked for by payments.
    stage.chain.fault(FaultKind::StallStreams);
    let mut payments = Vec::new();
    for _ in 0..20 {
        payments.push(stage.payment(&payer, "CCD").await);
    }
    assert_eq!(stage.verify(&payments[0]).await["isValid"], true, "the payer is known again");
    let before = stage.chain.asked();
    for payment in &payments[1..] {
        assert_eq!(stage.verify(payment).await["isValid"], true);
    }
    let asked = stage.chain.asked() - before;
    assert!(asked <= 2, "{asked} calls for 19 payments");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_an_account_at_the_same_time_is_answered_by_one_call() {
    let stage = Stage::new().await;
    let payer = stage.payer(500).await;
    assert_eq!(stage.settle(&stage.payment(&payer, "CCD").await).await["success"], true);
    // The block has touched all three accounts; no other comes.
    stage.chain.fault(FaultKind::StallStreams);
    let mut payments = Vec::new();
    for _ in 0..20 {
        payments.push(stage.payment(&payer, "CCD").await);
    }
    let before = stage.chain.asked();
    let verified = join_all(payments.iter().map(|payment| stage.verify(payment))).await;
    assert!(verified.iter().all(|answer| answer["isValid"] == true), "{verified:?}");
    let asked = stage.chain.asked() - before;
    assert!(asked <= 10, "{asked} calls for three accounts of 20 payments");
    stage.stop().await;
}
