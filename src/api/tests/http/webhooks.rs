//! Webhooks: who may make, see, change and try them. What they are told is in `messages`.

use ccd402_domain::key::scope::Scope;
use chrono::TimeDelta;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::holder::{Holder, because, holder, refusal, with_keys};
use crate::support::purchase::Purchase;
use crate::support::receiver::INSIDE;
use crate::support::{TestApi, answer, beginning, read};

pub(crate) const WEBHOOKS: &str = "/v1/webhooks";
pub(crate) const HOOK: &str = "https://shop.example/hook";
pub(crate) const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

pub(crate) async fn made(request: RequestBuilder) -> Value {
    let (status, made) = answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

async fn make(holder: &Holder<'_>) -> Value {
    made(holder.post(WEBHOOKS, &json!({ "url": HOOK }))).await
}

pub(crate) fn path(webhook: &Value, rest: &str) -> String {
    format!("{WEBHOOKS}/{}{rest}", text(webhook, "id"))
}

pub(crate) async fn owner<'a>(api: &'a TestApi, tenant: &str) -> Holder<'a> {
    holder(api, tenant, &[Scope::Submit, Scope::Read]).await
}

/// Positions of what happened to a verification, in order.
pub(crate) async fn positions(holder: &Holder<'_>, verification: &str) -> Vec<u64> {
    let (_, history) = answer(holder.get(&format!("{verification}/events"))).await;
    let events = history["events"].as_array().unwrap();
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_secret_is_shown_when_it_is_made_and_never_again() {
    let api = TestApi::start().await;
    let asked = json!({
        "url": HOOK, "description": "the till",
        "types": ["verification.failed", "verification.confirmed"],
    });
    let response = api.post(WEBHOOKS, &asked).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let (_, mut made) = read(response).await;
    let members = made.as_object_mut().unwrap();
    let first = members.remove("secret").unwrap().as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() == 50, "32 bytes in Base64");
    assert_eq!(made["types"], json!(["verification.confirmed", "verification.failed"]));
    assert_eq!((&made["tenant"], &made["status"]), (&json!("default"), &json!("enabled")));
    assert_eq!(location, path(&made, ""));
    assert_eq!(answer(api.get(&location)).await, (StatusCode::OK, made.clone()));
    assert_eq!(answer(api.get(WEBHOOKS)).await.1, json!({ "webhooks": [made] }));

    let rotate = || api.post(&path(&made, "/rotate-secret"), &json!({}));
    let response = rotate().send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, rotated) = read(response).await;
    assert_eq!((status, &rotated["secretNumber"]), (StatusCode::OK, &json!(2)));
    let until = json!(beginning() + TimeDelta::hours(24));
    assert_eq!(rotated["formerSecretUntil"], until);
    let second = text(&rotated, "secret").to_owned();
    assert_ne!(first, second);
    // Its answer was lost, so it is asked for again: all three sign.
    let third = text(&answer(rotate()).await.1, "secret").to_owned();
    let ping = || api.post(&path(&made, "/ping"), &json!({}));
    answer(ping()).await;
    assert_eq!(api.receiver.arrived()[0].secrets.len(), 3);
    api.clock.advance(TimeDelta::hours(24));
    answer(ping()).await;
    assert_eq!(api.receiver.arrived()[0].secrets.len(), 1);

    let (_, shown) = answer(api.get(&location)).await;
    let (_, listed) = answer(api.get(WEBHOOKS)).await;
    assert!(shown.get("formerSecretUntil").is_none(), "{shown}");
    for secret in [first, second, third] {
        let bare = secret.trim_start_matches("whsec_");
        assert!(!format!("{shown} {listed}").contains(bare));
    }
}

#[tokio::test]
async fn another_tenants_webhook_is_not_there() {
    let api = with_keys().await;
    let shop = owner(&api, "shop").await;
    let other = owner(&api, "other").await;
    let operator = holder(&api, "ops", &[Scope::Operate]).await;
    let webhook = make(&shop).await;
    let purchase = Purchase::new(1);
    let verification = shop.submit(&purchase).await;
    api.finalize(&purchase).await;
    let position = positions(&shop, &verification).await[1];
    assert_eq!(answer(other.get(WEBHOOKS)).await.1, json!({ "webhooks": [] }));
    let again = format!("/deliveries/{position}/redeliver");
    let routes = [
        (Method::GET, "", 200),
        (Method::PATCH, "", 200),
        (Method::POST, "/rotate-secret", 200),
        (Method::POST, "/ping", 200),
        (Method::GET, "/deliveries", 200),
        (Method::POST, &again, 200),
        (Method::DELETE, "", 204),
    ];
    for (method, rest, status) in routes {
        let own = path(&webhook, rest);
        let nobodys = format!("{WEBHOOKS}/{NOBODY}{rest}");
        let ask = |of: &Holder<'_>, path: &str| of.send(method.clone(), path).json(&json!({}));
        for (of, path) in [(&other, &own), (&shop, &nobodys)] {
            let refused = refusal(ask(of, path)).await;
            assert_eq!(refused, because(404, "webhook_not_found"), "{method} {path}");
        }
        let served = ask(&operator, &own).send().await.unwrap();
        assert_eq!(served.status(), status, "{method} {own}: the operator sees to all");
    }
    assert_eq!(refusal(shop.get(&path(&webhook, ""))).await, because(404, "webhook_not_found"));
}

#[tokio::test]
async fn looking_takes_read_and_changing_takes_submit_as_well() {
    let api = with_keys().await;
    let shop = owner(&api, "shop").await;
    let reads = holder(&api, "shop", &[Scope::Read]).await;
    let submits = holder(&api, "shop", &[Scope::Submit]).await;
    let operates = holder(&api, "shop", &[Scope::Operate]).await;
    let webhook = make(&shop).await;
    let missing = because(403, "scope_missing");
    for rest in ["", "/deliveries"] {
        let path = path(&webhook, rest);
        assert_eq!(answer(reads.get(&path)).await.0, StatusCode::OK, "{path}");
        assert_eq!(refusal(submits.get(&path)).await, missing, "{path}");
    }
    let changes = [
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::POST, "/rotate-secret"),
        (Method::POST, "/ping"),
        (Method::POST, "/deliveries/1/redeliver"),
    ];
    for holder in [&reads, &submits] {
        for (method, rest) in &changes {
            let request = holder.send(method.clone(), &path(&webhook, rest)).json(&json!({}));
            assert_eq!(refusal(request).await, missing, "{method} {rest}");
        }
    }
    for holder in [&reads, &submits, &operates] {
        let request = holder.post(WEBHOOKS, &json!({ "url": HOOK }));
        assert_eq!(refusal(request).await, missing, "it would hear what `read` sees");
    }
    assert_eq!(refusal(api.get(WEBHOOKS)).await, because(401, "key_required"));
}

#[tokio::test]
async fn what_makes_no_webhook_is_refused_with_its_reason() {
    let api = TestApi::start().await;
    let long = "x".repeat(3_000);
    let malformed = "malformed_request";
    let rows = [
        (json!({}), 400, malformed),
        (json!([]), 400, malformed),
        (json!({ "url": HOOK, "name": "x" }), 400, malformed),
        (json!({ "url": HOOK, "types": [] }), 400, malformed),
        (json!({ "url": HOOK, "types": ["verification.gone"] }), 400, malformed),
        (json!({ "url": HOOK, "description": "a\nb" }), 400, malformed),
        (json!({ "url": HOOK, "description": &long }), 400, malformed),
        (json!({ "url": "" }), 422, "webhook_url_refused"),
        (json!({ "url": INSIDE }), 422, "webhook_url_refused"),
        (json!({ "url": format!("{HOOK}?{long}") }), 422, "webhook_url_refused"),
        (json!({ "url": HOOK, "description": "x".repeat(70_000) }), 413, "request_too_large"),
    ];
    for (body, status, code) in rows {
        let refused = refusal(api.post(WEBHOOKS, &body)).await;
        assert_eq!(refused, because(status, code), "{:.80}", body.to_string());
    }
    let text = api.http.post(format!("{}{WEBHOOKS}", api.url)).body("{}");
    assert_eq!(refusal(text).await, because(415, malformed));
    let queries = ["?limit=x", "?after=x", "?limit=1&limit=2", "?what=1"];
    for query in queries {
        assert_eq!(refusal(api.get(&format!("{WEBHOOKS}{query}"))).await, because(400, malformed));
    }
    let webhook = made(api.post(WEBHOOKS, &json!({ "url": HOOK }))).await;
    for query in ["?outcome=lost", "?verification=x", "?position=1"] {
        let path = path(&webhook, &format!("/deliveries{query}"));
        assert_eq!(refusal(api.get(&path)).await, because(400, malformed), "{query}");
    }
    let change = |body: &Value| {
        let url = format!("{}{}", api.url, path(&webhook, ""));
        refusal(api.http.patch(url).json(body))
    };
    assert_eq!(change(&json!({ "types": [] })).await, because(400, malformed));
    assert_eq!(change(&json!({ "status": "enabled" })).await, because(400, malformed));
    assert_eq!(change(&json!({ "url": INSIDE })).await, because(422, "webhook_url_refused"));
}

#[tokio::test]
async fn a_tenant_has_so_many_webhooks_and_lists_them_in_pages() {
    let api = with_keys().await;
    let (shop, other) = (owner(&api, "shop").await, owner(&api, "other").await);
    for _ in 0..32 {
        make(&shop).await;
    }
    let full = refusal(shop.post(WEBHOOKS, &json!({ "url": HOOK }))).await;
    assert_eq!(full, because(409, "webhook_limit_reached"));
    make(&other).await;
    let operator = holder(&api, "ops", &[Scope::Operate]).await;
    for (holder, wanted) in [(&shop, 32), (&operator, 33)] {
        let (mut ids, mut query) = (Vec::new(), "?limit=20".to_owned());
        loop {
            let (_, page) = answer(holder.get(&format!("{WEBHOOKS}{query}"))).await;
            let found = page["webhooks"].as_array().unwrap();
            ids.extend(found.iter().map(|webhook| text(webhook, "id").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=20&after={next}");
        }
        let listed = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((listed, ids.len()), (wanted, wanted));
    }
}

#[tokio::test]
async fn a_creation_may_be_repeated_under_its_key() {
    let api = with_keys().await;
    let (shop, other) = (owner(&api, "shop").await, owner(&api, "other").await);
    let post = |of: &Holder<'_>, url: &str| {
        of.post(WEBHOOKS, &json!({ "url": url })).header("idempotency-key", "till-1")
    };
    let first = made(post(&shop, HOOK)).await;
    assert_eq!(made(post(&shop, HOOK)).await, first);
    assert_ne!(made(post(&other, HOOK)).await["id"], first["id"], "another tenant's key");
    let reused = because(409, "idempotency_key_reused");
    assert_eq!(refusal(post(&shop, "https://shop.example/other")).await, reused);
    let twice = post(&shop, HOOK).header("idempotency-key", "till-2");
    assert_eq!(refusal(twice).await, because(400, "malformed_request"));
    api.clock.advance(TimeDelta::hours(23));
    assert_eq!(made(post(&shop, HOOK)).await["secret"], first["secret"]);
}

#[tokio::test]
async fn what_is_absent_from_a_change_stays() {
    let api = TestApi::start().await;
    let asked = json!({ "url": HOOK, "description": "the till" });
    let webhook = made(api.post(WEBHOOKS, &asked)).await;
    let change = async |body: Value| {
        let request = api.http.patch(format!("{}{}", api.url, path(&webhook, ""))).json(&body);
        let (status, changed) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        changed
    };
    let same = change(json!({})).await;
    assert_eq!((text(&same, "url"), text(&same, "description")), (HOOK, "the till"));
    let moved = change(json!({ "url": "https://shop.example/other", "enabled": false })).await;
    assert_eq!(text(&moved, "description"), "the till");
    assert_eq!(moved["disabled"], json!({ "why": "operator", "at": beginning() }));
    assert_eq!(text(&moved, "status"), "disabled");
    let told = change(json!({ "types": ["verification.requested"], "enabled": true })).await;
    assert_eq!(told["types"], json!(["verification.requested"]));
    assert_eq!((text(&told, "status"), told.get("disabled")), ("enabled", None));
}
