//! `GET /discovery/resources`: what is listed, for whom, and in what parts.

use std::sync::Arc;

use ccd402_app::contract::sample::{append, confirmed, requested, time};
use ccd402_domain::event::Event;
use ccd402_domain::listing::Listing;
use ccd402_protocol::version::X402Version;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::holder::with_keys;
use crate::support::purchase::{Purchase, URL};
use crate::support::{TestApi, answer};

const ROUTE: &str = "/discovery/resources";

async fn page(api: &TestApi, query: &str) -> Value {
    api.project().await;
    let (status, page) = answer(api.get(&format!("{ROUTE}{query}"))).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

async fn total(api: &TestApi) -> Value {
    page(api, "").await["pagination"]["total"].clone()
}

/// Has a resource of that number listed.
async fn sold(api: &TestApi, number: u64, tenant: &str) {
    let Event::VerificationRequested(mut request) = requested(number, number) else {
        panic!("the sample is a request");
    };
    request.tenant = tenant.parse().unwrap();
    request.listing = Some(Arc::new(Listing {
        url: format!("https://shop.example/{number}"),
        method: "POST".into(),
        description: None,
        mime_type: None,
        x402_version: X402Version::V2,
        max_timeout_seconds: 60,
    }));
    api.log.append_sample(append(number, 0, vec![request.into(), confirmed(number, number)])).await;
}

#[tokio::test]
async fn what_was_paid_for_is_listed_in_both_versions() {
    let api = TestApi::start().await;
    let two = Purchase::new(1).discoverable();
    api.chain.finalize(two.transaction());
    assert_eq!(api.ask("/verify", &two.request()).await["isValid"], true);
    let listed = page(&api, "").await;
    let expected = json!({
        "x402Version": 2,
        "items": [{
            "resource": URL, "type": "http", "x402Version": 2,
            "accepts": [{
                "scheme": "exact", "network": Purchase::network(), "asset": "CCD",
                "amount": "1000000", "payTo": Purchase::pay_to(), "maxTimeoutSeconds": 3_600,
                "extra": {
                    "assetTransferMethod": "transaction-hash", "paymentFlow": "upfront",
                    "method": "GET",
                },
            }],
            "lastUpdated": listed["items"][0]["lastUpdated"], "metadata": { "method": "GET" },
        }],
        "pagination": { "limit": 20, "offset": 0, "total": 1 },
    });
    assert_eq!(listed, expected);
    assert!(listed["items"][0]["lastUpdated"].as_str().unwrap().ends_with('Z'));

    let one = Purchase::new(2).v1().discoverable();
    api.chain.finalize(one.transaction());
    assert_eq!(api.ask("/verify", &one.request()).await["isValid"], true);
    let listed = page(&api, "").await;
    assert_eq!(listed["pagination"]["total"], 1, "it is the same resource");
    let item = &listed["items"][0];
    assert_eq!((&item["x402Version"], &item["description"]), (&json!(1), &json!("a report")));
    let accepts = item["accepts"].as_array().unwrap();
    assert_eq!(accepts.len(), 1, "and the same terms");
    assert_eq!(accepts[0]["maxAmountRequired"], "1000000");
    assert_eq!(
        (&accepts[0]["resource"], &accepts[0]["description"]),
        (&json!(URL), &json!("a report"))
    );
    assert_eq!(accepts[0].get("amount"), None);
}

#[tokio::test]
async fn what_was_not_paid_for_or_not_meant_to_be_found_is_not_listed() {
    let api = TestApi::start().await;
    let unpaid = Purchase::new(1).discoverable();
    assert_eq!(api.ask("/verify", &unpaid.request()).await["invalidReason"], "transaction_pending");
    let hidden = Purchase::new(2);
    api.chain.finalize(hidden.transaction());
    assert_eq!(api.ask("/verify", &hidden.request()).await["isValid"], true);
    let short = Purchase::new(3).discoverable().paying(1);
    api.chain.finalize(short.transaction());
    assert_eq!(api.ask("/verify", &short.request()).await["invalidReason"], "amount_mismatch");
    assert_eq!(total(&api).await, 0);
    api.finalize(&unpaid).await;
    assert_eq!(total(&api).await, 1, "once it is paid it is");
}

#[tokio::test]
async fn what_is_handed_in_asynchronously_is_listed_too() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).discoverable();
    let submitted = api.post("/v1/verifications", &purchase.request()).send().await.unwrap();
    assert_eq!(submitted.status(), StatusCode::ACCEPTED);
    assert_eq!(total(&api).await, 0);
    api.finalize(&purchase).await;
    assert_eq!(total(&api).await, 1);
}

#[tokio::test]
async fn what_a_payer_says_is_bounded_and_decides_nothing() {
    let api = TestApi::start().await;
    let purchase = Purchase::new(1).discoverable();
    let mut request = purchase.request();
    let payload = &mut request["paymentPayload"];
    payload["resource"]["description"] = "\u{202e}<script>\n".repeat(1_000).into();
    payload["resource"]["mimeType"] = "x".repeat(10_000).into();
    payload["extensions"]["bazaar"]["routeTemplate"] = "/elsewhere".into();
    payload["extensions"]["bazaar"]["info"]["input"]["url"] = "https://evil.example".into();
    api.chain.finalize(purchase.transaction());
    assert_eq!(api.ask("/verify", &request).await["isValid"], true);
    let item = page(&api, "").await["items"][0].clone();
    assert_eq!(item["resource"], URL);
    let description = item["description"].as_str().unwrap();
    assert!(description.chars().count() <= 500 && !description.contains(['\u{202e}', '\n']));
    assert_eq!(item.get("mimeType"), None);

    let elsewhere = Purchase::new(2).discoverable();
    let mut request = elsewhere.request();
    request["paymentPayload"]["resource"]["url"] = "https://evil.example/".into();
    api.chain.finalize(elsewhere.transaction());
    assert_eq!(api.ask("/verify", &request).await["invalidReason"], "payment_not_bound");
    let listed = page(&api, "").await;
    let broken = [json!("bazaar"), json!({ "info": 7 }), json!({ "info": { "input": [] } })];
    for (number, broken) in (3..).zip(broken) {
        let purchase = Purchase::new(number).discoverable();
        let mut request = purchase.request();
        request["paymentPayload"]["extensions"]["bazaar"] = broken;
        api.chain.finalize(purchase.transaction());
        assert_eq!(api.ask("/verify", &request).await["isValid"], true, "it is paid all the same");
    }
    assert_eq!(page(&api, "").await["items"], listed["items"], "and lists nothing");
}

#[tokio::test]
async fn strangers_read_it_in_parts_and_of_all_tenants() {
    let api = with_keys().await;
    for number in 1..=5 {
        sold(&api, number, if number % 2 == 0 { "shop" } else { "kiosk" }).await;
    }
    let resources = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["resource"].as_str().unwrap()[21..].to_owned()).collect()
    };
    let all = page(&api, "").await;
    assert_eq!(resources(&all), ["5", "4", "3", "2", "1"]);
    assert!(!all.to_string().contains("kiosk"), "whose it is is not told");
    assert_eq!(all["items"][0]["metadata"]["method"], "POST");
    let told: chrono::DateTime<chrono::Utc> =
        all["items"][0]["lastUpdated"].as_str().unwrap().parse().unwrap();
    assert_eq!(told, time());
    for (query, expected, limit, offset) in [
        ("?limit=2", vec!["5", "4"], 2, 0),
        ("?limit=2&offset=4", vec!["1"], 2, 4),
        ("?offset=5&type=http", vec![], 20, 5),
        ("?limit=100&offset=1000000", vec![], 100, 1_000_000),
    ] {
        let part = page(&api, query).await;
        assert_eq!(resources(&part), expected, "{query}");
        let pagination = json!({ "limit": limit, "offset": offset, "total": 5 });
        assert_eq!(part["pagination"], pagination, "{query}");
    }
    let tools = page(&api, "?type=mcp").await;
    assert_eq!((&tools["items"], &tools["pagination"]["total"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_so() {
    let api = TestApi::start().await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1&limit=1",
        "offset=-1",
        "offset=1000001",
        "offset=18446744073709551616",
        "type=http&type=http",
        "tenant=shop",
    ] {
        let (status, problem) = answer(api.get(&format!("{ROUTE}?{query}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["code"], "malformed_request", "{query}");
    }
    api.reads.model().discard().await;
    let (status, problem) = answer(api.get(ROUTE)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "projection_behind");
}
