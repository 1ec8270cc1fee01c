//! What receivers answer, and what follows; secrets that change; and where messages may not go.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::payments::Terms;
use crate::receiver::{Answer, Receiver};
use crate::webhook_kit::{HERE, Kit, TWICE, text};

fn status(status: u16) -> Answer {
    (status, None)
}

/// Confirmations of so many payments are told.
async fn confirm(kit: &Kit, payments: usize) -> Vec<String> {
    let payer = kit.seller.payer(&kit.chain, 100).await;
    let mut verifications = Vec::new();
    for _ in 0..payments {
        let payment = kit.seller.paid(&payer, Terms::default()).await;
        verifications.push(kit.submit(&payment).await);
    }
    verifications
}

/// Waits until a webhook's tries are as many, and come to this.
async fn tries(kit: &Kit, id: &str, outcomes: &[&str]) -> Vec<Value> {
    for _ in 0..600 {
        let tries = kit.done(&["deliveries", id]).await;
        if tries.iter().map(|tried| text(tried, "outcome")).eq(outcomes.iter().copied()) {
            return tries;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never {outcomes:?}: {:?}", kit.done(&["deliveries", id]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_both_sign() {
    let kit = Kit::start(HERE).await;
    let receiver = Receiver::start().await;
    let (id, first) = kit.create(&receiver, &[]).await;
    assert_eq!(kit.done(&["ping", &id]).await[0]["taken"], true);
    let rotated = kit.done(&["rotate-secret", &id]).await.remove(0);
    let second = text(&rotated, "secret");
    confirm(&kit, 1).await;
    let arrived = receiver.count(2).await;
    assert_eq!(arrived[0].name(), "webhook.ping");
    assert!(arrived[0].is_signed_by(&first) && !arrived[0].is_signed_by(&second));
    assert!(arrived[1].is_signed_by(&first) && arrived[1].is_signed_by(&second));
    // The key outlives the process, and with it the secrets.
    let kit = kit.kill(HERE).await;
    kit.done(&["ping", &id]).await;
    let last = receiver.count(3).await.pop().unwrap();
    assert!(last.is_signed_by(&first) && last.is_signed_by(&second));
    let shown = kit.done(&["show", &id]).await.remove(0);
    assert_eq!((&shown["secretNumber"], shown.get("secret")), (&json!(2), None));
    kit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_hears_nothing_until_it_is_enabled() {
    let kit = Kit::start(HERE).await;
    let receiver = Receiver::start().await;
    let (id, _) = kit.create(&receiver, &[]).await;
    receiver.will_answer([status(410)]);
    let mut verifications = confirm(&kit, 1).await;
    receiver.count(1).await;
    for _ in 0..600 {
        if kit.done(&["show", &id]).await[0]["status"] == "disabled" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let shown = kit.done(&["show", &id]).await.remove(0);
    assert_eq!(shown["disabled"]["why"], "gone", "{shown}");
    verifications.extend(confirm(&kit, 1).await);
    let path = format!("/v1/verifications/{}?wait=60s", verifications[1]);
    assert_eq!(kit.get(&path).await["status"], "confirmed");
    assert_eq!(kit.done(&["ping", &id]).await[0]["taken"], true, "a ping goes all the same");
    assert_eq!(receiver.arrived().len(), 2);
    let kit = kit.kill(HERE).await;
    let enabled = kit.done(&["change", &id, "--enable"]).await.remove(0);
    assert_eq!(enabled["status"], "enabled");
    let arrived = receiver.count(4).await;
    let mut told: Vec<_> = arrived[2..].iter().map(|one| one.verification()).collect();
    told.sort_unstable();
    verifications.sort_unstable();
    assert_eq!(told, verifications, "also the one that was answered with 410");
    kit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
    let kit = Kit::start(&[HERE, &["--webhook-retries", "1s,1s,1s"]].concat()).await;
    let receiver = Receiver::start().await;
    kit.create(&receiver, &[]).await;
    receiver.will_answer([(503, Some(("retry-after", "4".to_owned()))), status(500)]);
    confirm(&kit, 1).await;
    let arrived = receiver.count(3).await;
    let pauses = [arrived[1].at - arrived[0].at, arrived[2].at - arrived[1].at];
    assert!(pauses[0] >= Duration::from_secs(4), "{pauses:?}");
    assert!(pauses[1] >= Duration::from_secs(1), "{pauses:?}");
    let ids: Vec<_> = arrived.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    kit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_sent_again_by_command_and_by_the_api() {
    let kit = Kit::start(TWICE).await;
    let receiver = Receiver::start().await;
    let (id, _) = kit.create(&receiver, &[]).await;
    receiver.will_answer([status(500), status(502)]);
    confirm(&kit, 1).await;
    let tried = tries(&kit, &id, &["failed", "given_up"]).await;
    assert_eq!((&tried[0]["status"], &tried[1]["status"]), (&json!(500), &json!(502)));
    assert!(tried[0]["retryAt"].is_string() && tried[1].get("retryAt").is_none());
    for _ in 0..600 {
        if kit.done(&["show", &id]).await[0]["disabled"]["why"] == "failing" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(kit.done(&["list"]).await[0]["disabled"]["why"], "failing");

    let given_up = kit.done(&["deliveries", &id, "--outcome", "given-up"]).await;
    assert_eq!(given_up, tried[1..]);
    receiver.will_answer([status(500)]);
    let again = ["redeliver", &id, "--given-up"];
    let ended = kit.tool(&again).await;
    assert_eq!((ended.code, &ended.lines()[0]["status"]), (1, &json!(500)), "{ended:?}");
    let sent = kit.done(&again).await;
    assert_eq!((text(&sent[0], "outcome"), &sent[0]["attempt"]), ("delivered".into(), &json!(4)));
    assert!(kit.done(&again).await.is_empty(), "nothing is left");
    let verification = text(&tried[0], "verification");
    assert_eq!(kit.done(&["redeliver", &id, "--verification", &verification]).await.len(), 1);

    let position = &tried[0]["position"];
    let path = format!("/v1/webhooks/{id}/deliveries/{position}/redeliver");
    let sent = kit.ask(Method::POST, &path, &json!({})).await;
    assert_eq!((text(&sent, "outcome"), &sent["status"]), ("delivered".into(), &json!(200)));
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 6);
    let ids: Vec<_> = arrived.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
    let unknown = kit.tool(&["redeliver", &id, "--position", "1"]).await;
    assert!(unknown.code == 1 && unknown.stderr.contains("delivery_not_found"), "{unknown:?}");
    kit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_nowhere_inside_unless_it_is_allowed() {
    let receiver = Receiver::start().await;
    let named = receiver.url.replace("127.0.0.1", "localhost");
    let kit = Kit::start(&[]).await;
    for url in [&receiver.url, &named, "http://[::1]:9/", "http://169.254.169.254/"] {
        let refused = kit.tool(&["create", url]).await;
        assert!(refused.code == 1 && refused.stderr.contains("webhook_url_refused"), "{refused:?}");
    }
    kit.stop().await;

    // A name is looked up when something is sent, and where it leads counts.
    let kit = Kit::start(&["--webhook-allow", "10.0.0.0/8"]).await;
    let made = kit.done(&["create", &named]).await.remove(0);
    let ping = kit.tool(&["ping", &text(&made, "id")]).await;
    assert_eq!((ping.code, &ping.lines()[0]["error"]), (1, &json!("refused")), "{ping:?}");
    confirm(&kit, 1).await;
    let tried = tries(&kit, &text(&made, "id"), &["failed"]).await;
    assert_eq!(tried[0]["error"], "refused");
    kit.stop().await;
    assert!(receiver.arrived().is_empty());

    // Nor does a receiver lead elsewhere.
    let kit = Kit::start(HERE).await;
    let inside = receiver.url.replace("/hook", "/inside");
    receiver.will_answer([(307, Some(("location", inside)))]);
    let (id, _) = kit.create(&receiver, &[]).await;
    confirm(&kit, 1).await;
    let tried = tries(&kit, &id, &["failed"]).await;
    assert_eq!(tried[0]["status"], 307);
    assert_eq!(
        receiver.arrived().iter().map(|one| one.path.as_str()).collect::<Vec<_>>(),
        ["/hook"]
    );
    kit.stop().await;
}
