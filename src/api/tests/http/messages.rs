//! What webhooks are told, what they answered, and telling them again.

use ccd402_app::webhooks::Delivered;
use ccd402_domain::ids::WebhookId;
use ccd402_domain::webhook::event::{Answer, NoAnswer};
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::holder::{because, refusal, with_keys};
use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer, beginning};
use crate::webhooks::{HOOK, NOBODY, WEBHOOKS, made, owner, path, positions, text};

async fn deliver(api: &TestApi, webhook: &Value, position: u64) -> Delivered {
    let id: WebhookId = text(webhook, "id").parse().unwrap();
    api.webhooks.deliver(id, position).await.unwrap()
}

/// What has arrived: bodies as JSON.
fn arrived(api: &TestApi) -> Vec<Value> {
    let messages = api.receiver.arrived();
    messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
}

#[tokio::test]
async fn a_ping_says_what_came_back_and_leaves_no_trace() {
    let api = TestApi::start().await;
    let webhook = made(api.post(WEBHOOKS, &json!({ "url": HOOK }))).await;
    let head = *api.facilitator.log().head().borrow();
    let ping = async || answer(api.post(&path(&webhook, "/ping"), &json!({}))).await.1;
    assert_eq!(ping().await, json!({ "status": 204, "taken": true, "durationMs": 3 }));
    let message = api.receiver.arrived().remove(0);
    assert_eq!((message.url.as_str(), message.secrets.len()), (HOOK, 1));
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    let wanted = json!({ "type": "webhook.ping", "timestamp": beginning(), "data": {} });
    assert_eq!(body, wanted);
    api.receiver.will_answer(&[Answer::Status(302), Answer::Error(NoAnswer::TimedOut)]);
    assert_eq!(ping().await, json!({ "status": 302, "taken": false, "durationMs": 3 }));
    let silent = json!({ "error": "timed_out", "taken": false, "durationMs": 3 });
    assert_eq!(ping().await, silent);
    assert_eq!(*api.facilitator.log().head().borrow(), head);
}

#[tokio::test]
async fn a_message_shows_the_verification_as_it_was_and_where_that_stands() {
    let api = with_keys().await;
    let shop = owner(&api, "shop").await;
    let types = json!([
        "verification.requested",
        "verification.confirmed",
        "verification.reserved",
        "verification.consumed",
    ]);
    let webhook = made(shop.post(WEBHOOKS, &json!({ "url": HOOK, "types": types }))).await;
    let purchase = Purchase::new(1).consumed_on_settle();
    let verification = shop.submit(&purchase).await;
    let pending = answer(shop.get(&verification)).await.1;
    api.finalize(&purchase).await;
    let confirmed = answer(shop.get(&verification)).await.1;
    let positions = positions(&shop, &verification).await;
    let [requested_at, confirmed_at] = positions[..] else { panic!("{positions:?}") };
    assert_eq!(deliver(&api, &webhook, confirmed_at).await, Delivered::Ended);
    let told = arrived(&api);
    let wanted = |name: &str, position: u64, shown: &Value| {
        // A message says by its position as of when it tells.
        let mut shown = shown.clone();
        shown.as_object_mut().unwrap().remove("asOf").unwrap();
        json!({
            "type": format!("verification.{name}"), "timestamp": beginning(),
            "data": { "position": position, "verification": shown },
        })
    };
    assert_eq!(told[0], wanted("requested", requested_at, &pending));
    assert_eq!(told[1], wanted("confirmed", confirmed_at, &confirmed));

    let second = Purchase::new(2).consumed_on_settle();
    api.finalize(&second).await;
    let request = shop.post("/verify", &second.request()).header("prefer", "wait=0");
    let valid = answer(request).await.1;
    assert_eq!(valid["isValid"], true, "{valid}");
    let held = format!("/v1/verifications/{}", text(&valid["extra"], "verification"));
    let held_at = *crate::webhooks::positions(&shop, &held).await.last().unwrap();
    deliver(&api, &webhook, held_at).await;
    let held = arrived(&api).pop().unwrap();
    assert_eq!(text(&held, "type"), "verification.reserved");
    assert_eq!(held["data"]["verification"]["usage"], "reserved");
    assert!(!held.to_string().contains("reservation"), "its id is its holder's: {held}");
    api.clock.advance(TimeDelta::hours(1));
    let redeliver = path(&webhook, &format!("/deliveries/{held_at}/redeliver"));
    assert_eq!(answer(shop.send(Method::POST, &redeliver)).await.0, StatusCode::OK);
    assert_eq!(arrived(&api), [held], "the same, although the hold has lapsed");
}

#[tokio::test]
async fn deliveries_are_listed_with_answers_and_sent_again_in_order() {
    let api = with_keys().await;
    let shop = owner(&api, "shop").await;
    let types = json!(["verification.requested", "verification.confirmed"]);
    let webhook = made(shop.post(WEBHOOKS, &json!({ "url": HOOK, "types": types }))).await;
    let purchase = Purchase::new(1);
    let verification = shop.submit(&purchase).await;
    api.finalize(&purchase).await;
    let positions = positions(&shop, &verification).await;
    let (first, second) = (positions[0], positions[1]);
    api.receiver.will_answer(&[Answer::Error(NoAnswer::Unreachable), Answer::Status(500)]);
    assert!(matches!(deliver(&api, &webhook, second).await, Delivered::Due(_)));
    let again = |position: &str| {
        let path = path(&webhook, &format!("/deliveries/{position}/redeliver"));
        shop.send(Method::POST, &path)
    };
    let early = refusal(again(&second.to_string())).await;
    assert_eq!(early, because(409, "delivery_out_of_order"));
    let (status, tried) = answer(again(&first.to_string())).await;
    assert_eq!((status, &tried["status"]), (StatusCode::OK, &json!(500)), "told as it is");
    let (_, tried) = answer(again(&first.to_string())).await;
    assert_eq!((text(&tried, "outcome"), &tried["attempt"]), ("delivered", &json!(3)));
    let messages = api.receiver.arrived();
    assert!(messages.iter().all(|message| message.id == messages[0].id), "one id");
    let head = api.facilitator.log().head().borrow().to_string();
    for position in [head.as_str(), "0", "x", "-1", "99999999999999999999"] {
        let refused = refusal(again(position)).await;
        assert_eq!(refused, because(404, "delivery_not_found"), "{position}");
    }

    assert_eq!(deliver(&api, &webhook, second).await, Delivered::Ended);
    let list = async |query: &str| {
        let path = path(&webhook, &format!("/deliveries{query}"));
        answer(shop.get(&path)).await.1["deliveries"].as_array().unwrap().clone()
    };
    let all = list("").await;
    let seen = |tried: &Value| {
        let answer = tried.get("status").or_else(|| tried.get("error")).unwrap();
        format!("{} {answer} {}", tried["position"], text(tried, "outcome"))
    };
    let wanted = [
        format!("{first} \"unreachable\" failed"),
        format!("{first} 500 failed"),
        format!("{first} 204 delivered"),
        format!("{second} 204 delivered"),
    ];
    assert_eq!(all.iter().map(seen).collect::<Vec<_>>(), wanted);
    assert_eq!(all[3]["type"], "verification.confirmed");
    assert!(all[0]["retryAt"].is_string() && all[3].get("retryAt").is_none(), "{all:?}");
    let id = text(&all[0], "verification");
    assert_eq!(list(&format!("?verification={id}&limit=1")).await, all);
    assert_eq!(list("?outcome=delivered").await, all[2..]);
    assert_eq!(list(&format!("?verification={NOBODY}")).await, [] as [Value; 0]);
    assert_eq!(list(&format!("?after={id}")).await, [] as [Value; 0]);
}
