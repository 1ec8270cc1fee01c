//! Webhooks with the program itself and a receiver on loopback: everything arrives, signed and in
//! order, whatever becomes of the facilitator and whatever the receiver answers.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::caller::serve;
use crate::payments::Terms;
use crate::receiver::{Receiver, told};
use crate::webhook_kit::{HERE, Kit, text};

/// What the log says that happened to a verification: positions, and names as webhooks have them.
async fn happened(kit: &Kit, verification: &str) -> Vec<(u64, String)> {
    let history = kit.get(&format!("/v1/verifications/{verification}/events")).await;
    let events = history["events"].as_array().unwrap().iter();
    let named = events.filter_map(|event| {
        let name = match event["type"].as_str()? {
            "VerificationRequested" => "requested",
            "VerificationConfirmed" => "confirmed",
            "VerificationFailed" => "failed",
            "PaymentReserved" => "reserved",
            "PaymentReleased" => "released",
            "PaymentConsumed" => "consumed",
            _ => return None,
        };
        Some((event["position"].as_u64()?, name.to_owned()))
    });
    named.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transition_arrives_signed_and_in_order() {
    let kit = Kit::start(HERE).await;
    let receiver = Receiver::start().await;
    let all = "requested,confirmed,failed,reserved,released,consumed";
    let (_, secret) = kit.create(&receiver, &["--type", all]).await;
    let payer = kit.seller.payer(&kit.chain, 100).await;
    let confirmed = kit.submit(&kit.seller.paid(&payer, Terms::default()).await).await;
    let failed = kit.submit(&kit.never_sent().await).await;
    let held = kit.seller.paid(&payer, Terms::default()).await;
    let used = loop {
        let valid = kit.ask(Method::POST, "/verify", &held.request).await;
        if valid["isValid"] == true {
            break valid;
        }
        assert_eq!(valid["invalidReason"], "transaction_pending", "{valid}");
    };
    let (id, extra) = (text(&used["extra"], "verification"), &used["extra"]);
    let release = json!({ "reservation": extra["reservation"] });
    let path = format!("{}/v1/verifications/{id}/release", kit.url);
    assert_eq!(kit.http.post(path).json(&release).send().await.unwrap().status(), 204);
    let settled = kit.ask(Method::POST, "/settle", &held.request).await;
    assert_eq!(settled["success"], true, "{settled}");

    let mut wanted = BTreeMap::new();
    for (id, names) in [
        (&confirmed, vec!["requested", "confirmed"]),
        (&failed, vec!["requested", "failed"]),
        (&id, vec!["requested", "confirmed", "reserved", "released", "consumed"]),
    ] {
        kit.get(&format!("/v1/verifications/{id}?wait=60s")).await;
        let happened = happened(&kit, id).await;
        let found: Vec<_> = happened.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(found, names);
        wanted.insert(id.clone(), happened);
    }
    let arrived = receiver.until(|arrived| told(arrived) == wanted).await;
    assert_eq!(arrived.len(), 9, "each once, where all goes well");
    for message in &arrived {
        assert!(message.is_signed_by(&secret), "{}", message.body);
        assert_eq!(message.header("content-type"), "application/json");
    }
    let last = arrived.iter().rfind(|message| message.verification() == failed).unwrap();
    let mut shown = kit.get(&format!("/v1/verifications/{failed}")).await;
    // A message says by its position as of when it tells.
    shown.as_object_mut().unwrap().remove("asOf").unwrap();
    assert_eq!(last.body["data"]["verification"], shown, "as the API shows it");
    let secret = secret.trim_start_matches("whsec_");
    assert!(!kit.process.logged().contains(secret));
    kit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_that_is_killed_tells_everything_at_least_once() {
    let mut kit = Kit::start(HERE).await;
    // Slow, so that each kill cuts messages off.
    let receiver = Receiver::slow(Duration::from_millis(300)).await;
    let (_, secret) = kit.create(&receiver, &["--type", "requested,confirmed,failed"]).await;
    let payer = kit.seller.payer(&kit.chain, 200).await;
    let mut verifications = Vec::new();
    for round in 1..=4 {
        for _ in 0..4 {
            let payment = kit.seller.paid(&payer, Terms::default()).await;
            verifications.push(kit.submit(&payment).await);
        }
        receiver.count(round * 4).await;
        kit = kit.kill(HERE).await;
        if round == 2 {
            // Once more, and the queue is gone, too.
            kit.process.kill().await;
            for file in std::fs::read_dir(kit.dir.path()).unwrap() {
                let file = file.unwrap();
                if file.file_name().to_str().unwrap().starts_with("jobs.sqlite") {
                    std::fs::remove_file(file.path()).unwrap();
                }
            }
            (kit.process, kit.url) = serve(kit.dir.path(), &kit.chain, HERE).await;
        }
    }
    let mut wanted = BTreeMap::new();
    for id in &verifications {
        let state = kit.get(&format!("/v1/verifications/{id}?wait=60s")).await;
        assert_eq!(state["status"], "confirmed", "{state}");
        wanted.insert(id.clone(), happened(&kit, id).await);
    }
    let arrived = receiver.until(|arrived| told(arrived) == wanted).await;
    assert!(arrived.iter().all(|message| message.is_signed_by(&secret)));
    let mut ids = BTreeMap::new();
    for message in &arrived {
        let (id, position) = (message.header("webhook-id"), message.position());
        assert_eq!(*ids.entry(position).or_insert(id), id, "a repeat has the id of the first");
    }
    println!("{} messages for {} transitions", arrived.len(), ids.len());
    kit.stop().await;
}
