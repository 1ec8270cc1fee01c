//! Held, signed, sent, final, used up: once.

use serde_json::json;

use super::kit::{PRICE, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_held_settled_and_used_up_once() {
    let stage = Stage::new().await;
    let supported: serde_json::Value = stage
        .http
        .get(format!("{}/supported", stage.running.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(supported["kinds"][0]["extra"]["feePayer"], json!(stage.sponsor));
    assert_eq!(supported["signers"]["ccd:*"], json!([stage.sponsor]));
    let payer = stage.payer(100).await;
    for (count, asset) in [(1, "CCD"), (1, "EURR"), (2, "CCD")] {
        let payment = stage.payment(&payer, asset).await;
        for _ in 0..2 {
            let held = stage.verify(&payment).await;
            assert_eq!(held["isValid"], true, "{held}");
            assert_eq!(held["payer"], json!(payer.wallet.address()));
        }
        let settled = stage.settle(&payment).await;
        assert_eq!(settled["success"], true, "{settled}");
        assert_eq!(settled["transaction"].as_str().unwrap().len(), 64);
        assert_eq!(settled["network"], json!(stage.nodes.network()));
        assert_eq!(settled["amount"], PRICE.to_string());
        assert_eq!(stage.received(asset).await, count * PRICE);
        let again = stage.settle(&payment).await;
        assert_eq!(again["success"], false, "{again}");
        assert_eq!(again["errorReason"], "duplicate_settlement");
        assert_eq!(again["transaction"], settled["transaction"]);
        let verified = stage.verify(&payment).await;
        assert_eq!(verified["invalidReason"], "payment_already_used", "{verified}");
        let status = settled["extra"]["statusUrl"].as_str().unwrap();
        let shown: serde_json::Value = stage
            .http
            .get(format!("{}{status}", stage.running.url()))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!((&shown["status"], &shown["usage"]), (&json!("confirmed"), &json!("used")));
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_needs_no_verifying_before() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    let payment = stage.payment(&payer, "EURR").await;
    let settled = stage.settle(&payment).await;
    assert_eq!(settled["success"], true, "{settled}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_out_of_time_hears_the_hash_and_waits_on_with_the_same_call() {
    let stage = Stage::new().await;
    let payer = stage.payer(100).await;
    stage.chain.fault(ccd402_simchain::FaultKind::DelayFinality);
    let payment = stage.payment(&payer, "CCD").await;
    let pending = stage.ask("/settle", &payment, 1).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending}");
    assert_eq!(pending["transaction"].as_str().unwrap().len(), 64);
    assert!(pending["extra"]["statusUrl"].is_string());
    stage.chain.clear_faults();
    let settled = stage.settle(&payment).await;
    assert_eq!(settled["success"], true, "{settled}");
    assert_eq!(settled["transaction"], pending["transaction"]);
    assert_eq!(stage.received("CCD").await, PRICE);
    stage.stop().await;
}
