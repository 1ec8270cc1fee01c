//! API keys: who is served, as whom, and how much.

use ccd402_domain::key::scope::Scope;
use chrono::TimeDelta;
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::holder::{Holder, because, holder, limited, limits, refusal, with_keys};
use crate::support::purchase::Purchase;
use crate::support::{LONG_SECONDS, TestApi, answer, beginning, read, soon};

const VERIFICATIONS: &str = "/v1/verifications";

#[tokio::test]
async fn without_a_key_only_what_is_everybodys_is_served() {
    let api = with_keys().await;
    for path in ["/supported", "/errors/key_required"] {
        assert_eq!(api.get(path).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let probe = api.get("/health").send().await.unwrap();
    assert_eq!(probe.status(), StatusCode::SERVICE_UNAVAILABLE, "no block was followed");
    let body = Purchase::new(1).request();
    for path in ["/verify", "/settle", VERIFICATIONS, "/v1/keys"] {
        let response = api.post(path, &body).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        let (status, told) = read(response).await;
        assert_eq!((status, &told["code"]), (StatusCode::UNAUTHORIZED, &json!("key_required")));
    }
    let (_, told) = answer(api.post("/verify", &body)).await;
    assert_eq!((&told["isValid"], &told["invalidReason"]), (&json!(false), &json!("key_required")));
    assert_eq!(refusal(api.get("/v1/nothing")).await, because(404, "route_not_found"));
}

#[tokio::test]
async fn what_is_presented_must_be_good_also_where_nothing_is_needed() {
    for api in [TestApi::start().await, with_keys().await] {
        let good = holder(&api, "shop", &[Scope::Submit]).await.text;
        let forged = format!("{}{}", &good[..good.len() - 43], "A".repeat(43));
        let body = Purchase::new(1).request();
        let rows = [
            format!("Bearer {forged}"),
            "Bearer nonsense".to_owned(),
            "Bearer".to_owned(),
            format!("Basic {good}"),
            good.clone(),
        ];
        for value in rows {
            let request = api.post(VERIFICATIONS, &body).header("authorization", &value);
            assert_eq!(refusal(request).await, because(401, "key_invalid"), "{value}");
        }
        let twice = api.post(VERIFICATIONS, &body).bearer_auth(&good).bearer_auth(&good);
        assert_eq!(refusal(twice).await, because(401, "key_invalid"));
        let request =
            api.post(VERIFICATIONS, &body).header("authorization", format!("bearer {good}"));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn another_tenants_verification_is_not_there() {
    let api = with_keys().await;
    let both = [Scope::Submit, Scope::Read];
    let shop = holder(&api, "shop", &both).await;
    let other = holder(&api, "other", &both).await;
    let operator = holder(&api, "ops", &[Scope::Operate]).await;
    let purchase = Purchase::new(1).consumed_on_settle();
    let path = shop.submit(&purchase).await;
    let (status, shown) = answer(shop.get(&path)).await;
    assert_eq!((status, &shown["status"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(answer(operator.get(&path)).await, (StatusCode::OK, shown));

    let nobody = format!("{VERIFICATIONS}/00000000-0000-7000-8000-000000000000");
    let release = json!({ "reservation": "00000000-0000-4000-8000-000000000000" });
    for (method, suffix) in
        [(Method::GET, ""), (Method::GET, "?wait=1"), (Method::POST, "/release")]
    {
        let ask = |path: &str| {
            let request = other.send(method.clone(), &format!("{path}{suffix}")).json(&release);
            async move {
                let (status, mut told) = answer(request).await;
                told.as_object_mut().unwrap().remove("requestId");
                (status, told)
            }
        };
        let told = ask(&path).await;
        assert_eq!(told.1["code"], "verification_not_found", "{suffix}");
        assert_eq!(told, ask(&nobody).await, "{suffix}: it cannot be told from one that is not");
    }
}

#[tokio::test]
async fn of_two_tenants_with_one_payment_one_is_confirmed() {
    let api = with_keys().await;
    let both = [Scope::Submit, Scope::Read];
    let tenants = [holder(&api, "shop", &both).await, holder(&api, "other", &both).await];
    let purchase = Purchase::new(1);
    let mut paths = Vec::new();
    for tenant in &tenants {
        let request = tenant.post(VERIFICATIONS, &purchase.request());
        let response = request.header("idempotency-key", "order-1").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        paths.push(response.headers()["location"].to_str().unwrap().to_owned());
    }
    assert_ne!(paths[0], paths[1], "one Idempotency-Key of two tenants is two");
    api.finalize(&purchase).await;
    let mut statuses = Vec::new();
    for (tenant, path) in tenants.iter().zip(&paths) {
        let (_, shown) = answer(tenant.get(path)).await;
        statuses.push(shown["status"].as_str().unwrap().to_owned());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, ["confirmed", "failed"]);
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on() {
    let api = with_keys().await;
    let both = [Scope::Submit, Scope::Read];
    let shop = holder(&api, "shop", &both).await;
    let operator = holder(&api, "ops", &[Scope::Operate]).await;
    let path = shop.submit(&Purchase::new(1)).await;
    let reads = api.log.reads();
    let waiting = tokio::spawn(answer(shop.get(&format!("{path}?wait={LONG_SECONDS}s"))));
    api.log.read_after(reads).await;

    let (status, shown) =
        answer(operator.send(Method::DELETE, &format!("/v1/keys/{}", shop.id))).await;
    assert_eq!((status, shown["revokedAt"].is_string()), (StatusCode::OK, true), "{shown}");
    assert_eq!(refusal(shop.get(&path)).await, because(401, "key_revoked"));
    let submission = shop.post(VERIFICATIONS, &Purchase::new(2).request());
    assert_eq!(refusal(submission).await, because(401, "key_revoked"));
    assert_eq!(
        refusal(operator.send(Method::DELETE, "/v1/keys/nonsense")).await,
        because(404, "key_not_found")
    );

    // What was let in before is served to its end; what the tenant has is there for its next key.
    api.finalize(&Purchase::new(1)).await;
    assert_eq!(soon(waiting).await.unwrap().1["status"], "confirmed");
    let next = holder(&api, "shop", &both).await;
    assert_eq!(answer(next.get(&path)).await.1["status"], "confirmed");
    api.clock.advance(TimeDelta::days(2));
    assert_eq!(refusal(next.get(&path)).await, because(401, "key_expired"));
}

#[tokio::test]
async fn a_key_allows_what_its_scopes_say() {
    let api = with_keys().await;
    let submits = holder(&api, "shop", &[Scope::Submit]).await;
    let reads = holder(&api, "shop", &[Scope::Read]).await;
    let operates = holder(&api, "shop", &[Scope::Operate]).await;
    let body = Purchase::new(1).request();
    let path = submits.submit(&Purchase::new(1)).await;
    let release = format!("{path}/release");
    let refused = because(403, "scope_missing");
    for key in [&reads, &operates] {
        for path in ["/verify", "/settle", VERIFICATIONS, &release] {
            assert_eq!(refusal(key.post(path, &body)).await, refused, "{path}");
        }
    }
    for key in [&submits, &reads] {
        for (method, path) in
            [(Method::POST, "/v1/keys"), (Method::GET, "/v1/keys"), (Method::DELETE, "/v1/keys/x")]
        {
            assert_eq!(refusal(key.send(method, path).json(&json!({}))).await, refused, "{path}");
        }
    }
    assert_eq!(refusal(submits.get(&path)).await, refused);
    assert_eq!(answer(reads.get(&path)).await.0, StatusCode::OK);
    assert_eq!(answer(operates.get(&path)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn over_the_rate_is_told_when_to_come_again() {
    let api = with_keys().await;
    let slow = limited(&api, "shop", &[Scope::Read], limits(1, 2, 10)).await;
    let other = holder(&api, "shop", &[Scope::Read]).await;
    let path = format!("{VERIFICATIONS}/nonsense");
    let mut answers = Vec::new();
    // However slow this machine is, a hundred take less than a hundred seconds.
    for _ in 0..100 {
        let response = slow.get(&path).send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert_eq!(wait, 1);
            answers.push(read(response).await.1);
            break;
        }
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(
        (&answers[0]["code"], &answers[0]["retryable"]),
        (&json!("rate_limited"), &json!(true))
    );
    assert_eq!(refusal(other.get(&path)).await.0, 404, "another key is not held back");
}

#[tokio::test]
async fn a_batch_counts_as_many_requests_as_it_has_items() {
    let api = with_keys().await;
    let key = limited(&api, "shop", &[Scope::Submit], limits(1, 50, 10)).await;
    let batch = |first: u8, count: u8| {
        let items = (first..first + count).map(|number| Purchase::new(number).request());
        key.post(VERIFICATIONS, &Value::from(items.collect::<Vec<_>>()))
    };
    let (status, too_large) = answer(batch(0, 51)).await;
    assert_eq!(
        (status, &too_large["code"], &too_large["retryable"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("request_too_large"), &json!(false))
    );
    let detail = too_large["detail"].as_str().unwrap();
    assert!(detail.contains("51") && detail.contains("50 at once"), "{detail}");
    let (status, taken) = answer(batch(0, 30)).await;
    assert_eq!((status, &taken["accepted"]), (StatusCode::ACCEPTED, &json!(30)));
    // Room for 18 is left, and one more for each second that this takes.
    let response = batch(100, 49).send().await.unwrap();
    let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    let (status, refused) = read(response).await;
    assert_eq!((status, &refused["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limited")));
    assert_eq!(*api.facilitator.log().head().borrow(), 1 + 30, "nothing of it was taken in");
    let (status, _) = answer(batch(100, 10)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "what was refused was not counted");
}

#[tokio::test]
async fn more_in_flight_than_allowed_is_turned_away() {
    let api = with_keys().await;
    let both = [Scope::Submit, Scope::Read];
    let narrow = limited(&api, "shop", &both, limits(1_000, 1_000, 1)).await;
    let path = narrow.submit(&Purchase::new(1)).await;
    let reads = api.log.reads();
    let waiting = tokio::spawn(answer(narrow.get(&format!("{path}?wait={LONG_SECONDS}s"))));
    api.log.read_after(reads).await;
    let response = narrow.get(&path).send().await.unwrap();
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    assert_eq!(read(response).await.1["code"], "too_many_in_flight");
    api.finalize(&Purchase::new(1)).await;
    assert_eq!(soon(waiting).await.unwrap().1["status"], "confirmed");
    assert_eq!(answer(narrow.get(&path)).await.0, StatusCode::OK, "there is room again");
}

#[tokio::test]
async fn the_operator_makes_and_lists_keys_and_sees_their_text_once() {
    let api = with_keys().await;
    let operator = holder(&api, "ops", &[Scope::Operate]).await;
    let asked = json!({
        "tenant": "shop", "name": "the gate", "scopes": ["submit", "read"],
        "limits": { "rate": 5, "inFlight": 7 }, "expiresAt": beginning() + TimeDelta::hours(1),
    });
    let response = operator.post("/v1/keys", &asked).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (_, mut made) = read(response).await;
    let text = made.as_object_mut().unwrap().remove("key").unwrap().as_str().unwrap().to_owned();
    assert!(text.starts_with(made["prefix"].as_str().unwrap()));
    assert_eq!(made["limits"], json!({ "rate": 5, "burst": 2_000, "inFlight": 7 }));
    let holder = Holder { api: &api, id: made["id"].as_str().unwrap().parse().unwrap(), text };
    holder.submit(&Purchase::new(1)).await;

    let (_, page) = answer(operator.get("/v1/keys?limit=1")).await;
    assert_eq!(page["keys"][0]["id"], json!(operator.id));
    let next = page["next"].as_str().unwrap();
    let (_, page) = answer(operator.get(&format!("/v1/keys?limit=1&after={next}"))).await;
    assert_eq!(page, json!({ "keys": [made] }));
    let secret = &holder.text[holder.text.len() - 43..];
    assert!(!page.to_string().contains(secret) && !page.to_string().contains("hash"));

    let bad = [
        json!({}),
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "", "scopes": ["read"] }),
        json!({ "name": "x", "scopes": ["admin"] }),
        json!({ "name": "x", "scopes": ["read"], "limits": { "rate": 0 } }),
        json!({ "name": "x", "scopes": ["read"], "expiresAt": beginning() }),
        json!({ "name": "x", "scopes": ["read"], "tenant": "Shop" }),
    ];
    for body in bad {
        let refused = refusal(operator.post("/v1/keys", &body)).await;
        assert_eq!(refused, because(400, "malformed_request"), "{body}");
    }
}
