//! `GET /v1/verifications`: which are listed, in what order and what pages, and to whom.

use std::sync::Arc;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use ccd402_app::contract::sample::{
    append, confirmed, failed, network, other_network, payment, requested, time, transaction,
};
use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_domain::key::scope::Scope;
use ccd402_domain::payment::Payment;
use ccd402_domain::verification::event::VerificationRequested;
use chrono::{SecondsFormat, TimeDelta};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::log::Fault;
use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer, soon};

const ROUTE: &str = "/v1/verifications";

/// Appends what becomes of a verification.
async fn add(api: &TestApi, number: u64, events: Vec<Event>) {
    api.log.append_sample(append(number, 0, events)).await;
}

fn changed(number: u64, change: impl FnOnce(&mut VerificationRequested)) -> Event {
    let Event::VerificationRequested(mut request) = requested(number, number) else {
        panic!("the sample is a request");
    };
    change(&mut request);
    Event::from(request)
}

fn paying(number: u64, change: impl FnOnce(&mut Payment)) -> Event {
    changed(number, |request| change(Arc::make_mut(&mut request.payment)))
}

async fn page(api: &TestApi, query: &str) -> Value {
    let (status, page) = answer(api.get(&format!("{ROUTE}?{query}"))).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

/// The numbers of the samples on a page: their amounts say them.
fn numbers(page: &Value) -> Vec<u64> {
    let listed = page["verifications"].as_array().unwrap();
    let amount = |item: &Value| item["payment"]["amount"].as_str().unwrap().parse::<u64>().unwrap();
    listed.iter().map(|item| amount(item) - 1_000_000).collect()
}

async fn refused(api: &TestApi, query: &str) -> (u16, String) {
    let (status, problem) = answer(api.get(&format!("{ROUTE}?{query}"))).await;
    (status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_filter_selects() {
    let api = TestApi::start().await;
    let (later, other) = (time() + TimeDelta::hours(1), AccountAddress::from_bytes([5; 32]));
    let url = "https://example.com/a?b=1,2&c=%3D";
    add(&api, 1, vec![requested(1, 1), confirmed(1, 1)]).await;
    add(&api, 2, vec![requested(2, 2), failed(2, 2)]).await;
    add(&api, 3, vec![paying(3, |payment| payment.pay_to = other)]).await;
    add(&api, 4, vec![paying(4, |payment| payment.asset = "EURR".parse().unwrap())]).await;
    add(&api, 5, vec![paying(5, |payment| payment.network = other_network())]).await;
    add(&api, 6, vec![paying(6, |payment| payment.resource.url = url.to_owned())]).await;
    add(&api, 7, vec![changed(7, |asked| asked.requested_at = later)]).await;
    add(&api, 8, vec![changed(8, |asked| asked.tenant = "shop".parse().unwrap())]).await;
    api.project().await;
    let at = later.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let encoded = "https%3A%2F%2Fexample.com%2Fa%3Fb%3D1%2C2%26c%3D%253D";
    let rows = [
        (String::new(), vec![7, 8, 6, 5, 4, 3, 2, 1]),
        ("status=confirmed".to_owned(), vec![1]),
        ("status=failed".to_owned(), vec![2]),
        ("status=pending".to_owned(), vec![7, 8, 6, 5, 4, 3]),
        (format!("payer={}", payment(4).payer), vec![4]),
        (format!("payTo={other}"), vec![3]),
        ("asset=eurr".to_owned(), vec![4]),
        (format!("network={}", other_network()), vec![5]),
        (format!("resource={encoded}"), vec![6]),
        (format!("transaction={}", transaction(2)), vec![2]),
        (format!("from={at}"), vec![7]),
        (format!("to={at}&tenant=shop"), vec![8]),
        (format!("to={at}&asset=CCD&network={}", network()), vec![8, 6, 3, 2, 1]),
        ("tenant=nobody".to_owned(), vec![]),
    ];
    for (query, expected) in rows {
        let page = page(&api, &query).await;
        assert_eq!(numbers(&page), expected, "{query}");
        assert_eq!((&page["asOf"], page.get("next")), (&json!(10), None), "{query}");
    }
}

#[tokio::test]
async fn a_listed_verification_is_told_as_it_is_shown() {
    let api = TestApi::start().await;
    let purchases = [Purchase::new(1), Purchase::new(2).paying(1), Purchase::new(3)];
    for purchase in &purchases {
        let (_, accepted) = answer(api.post(ROUTE, &purchase.request())).await;
        assert_eq!(accepted["status"], "pending");
    }
    api.finalize(&purchases[0]).await;
    api.finalize(&purchases[1]).await;
    let held = Purchase::new(4).consumed_on_settle();
    api.chain.finalize(held.transaction());
    let verified = api.ask("/verify", &held.request()).await;
    assert_eq!(verified["isValid"], true, "{verified}");
    api.project().await;
    let page = page(&api, "").await;
    let listed = page["verifications"].as_array().unwrap();
    let mut usages = Vec::new();
    for item in listed {
        let (_, mut shown) = answer(api.get(item["statusUrl"].as_str().unwrap())).await;
        assert_eq!(shown["asOf"], page["asOf"]);
        shown.as_object_mut().unwrap().remove("asOf");
        let mut item = item.clone();
        let members = item.as_object_mut().unwrap();
        assert_eq!(members.remove("tenant"), Some(json!("default")));
        assert!(members.remove("changed").unwrap().as_u64() <= page["asOf"].as_u64());
        let is_pending = members["status"] == "pending";
        assert_eq!(members.remove("decidedAt").is_none(), is_pending);
        usages.push((members["usage"].clone(), members.remove("reservedUntil").is_some()));
        assert_eq!(item, shown);
    }
    assert_eq!(listed.len(), 4);
    usages.retain(|(usage, _)| usage != "free");
    assert_eq!(usages, [(json!("reserved"), true)]);
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_verifications_are_made() {
    let api = TestApi::start().await;
    for number in 1..=9 {
        add(&api, number, vec![requested(number, number)]).await;
    }
    api.project().await;
    let (mut seen, mut cursor, mut added) = (Vec::new(), String::new(), 9);
    loop {
        let page = page(&api, &format!("limit=2&asset=CCD{cursor}")).await;
        seen.extend(numbers(&page));
        added += 1;
        add(&api, added, vec![requested(added, added)]).await;
        api.project().await;
        let Some(next) = page.get("next") else { break };
        cursor = format!("&cursor={}", next.as_str().unwrap());
    }
    assert_eq!(seen, (1..=9).rev().collect::<Vec<_>>());
    let malformed = (400, "malformed_request".to_owned());
    for query in [&format!("limit=2{cursor}"), "asset=CCD&cursor=00ff", "cursor=zz", "cursor="] {
        assert_eq!(refused(&api, query).await, malformed, "{query}");
    }
}

#[tokio::test]
async fn a_tenant_lists_its_own_and_an_operator_all() {
    let options = Options { require_keys: true, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let both = [Scope::Submit, Scope::Read];
    let shop = api.key("shop", &both).await;
    let other = api.key("other", &both).await;
    let operator = api.key("ops", &[Scope::Operate]).await;
    let writer = api.key("shop", &[Scope::Submit]).await;
    for (key, number) in [(&shop, 1), (&other, 2), (&shop, 3)] {
        let submit = api.post(ROUTE, &Purchase::new(number).request()).bearer_auth(key);
        assert_eq!(answer(submit).await.0, StatusCode::ACCEPTED);
    }
    api.project().await;
    let list = async |key: &str, query: &str| {
        let (status, page) = answer(api.get(&format!("{ROUTE}?{query}")).bearer_auth(key)).await;
        let listed = page["verifications"].as_array().cloned().unwrap_or_default();
        let hashes = listed.iter().map(|item| item["payment"]["transaction"].clone());
        let numbers = hashes.map(|hash| hash.as_str().unwrap()[..2].parse::<u8>().unwrap());
        (status.as_u16(), numbers.collect::<Vec<_>>(), page)
    };
    let rows: [(&str, &str, u16, &[u8]); 9] = [
        (&shop, "", 200, &[3, 1]),
        (&other, "", 200, &[2]),
        (&shop, "tenant=shop", 200, &[3, 1]),
        (&shop, "tenant=other", 403, &[]),
        (&operator, "", 200, &[3, 2, 1]),
        (&operator, "tenant=other", 200, &[2]),
        (&operator, "tenant=ops", 200, &[]),
        (&writer, "", 403, &[]),
        ("ccd402_nonsense", "", 401, &[]),
    ];
    for (key, query, status, numbers) in rows {
        let told = list(key, query).await;
        assert_eq!((told.0, &told.1[..]), (status, numbers), "{query}: {}", told.2);
    }
    let (_, _, first) = list(&shop, "limit=1").await;
    let cursor = format!("limit=1&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(list(&shop, &cursor).await.1, [1]);
    assert_eq!(list(&other, &cursor).await.0, 400, "a cursor is for who was given it");
}

#[tokio::test]
async fn an_answer_holds_what_the_caller_has_seen_already() {
    let api = TestApi::start().await;
    add(&api, 1, vec![requested(1, 1), confirmed(1, 1)]).await;
    let path = format!("{ROUTE}?minPosition=2&status=confirmed");
    let asking = tokio::spawn(answer(api.get(&path)));
    api.project().await;
    let (status, page) = soon(asking).await.unwrap();
    assert_eq!((status, &page["asOf"], numbers(&page)), (StatusCode::OK, &json!(2), vec![1]));

    // The log has it, the read model does not; and nobody has it.
    add(&api, 2, vec![requested(2, 2)]).await;
    let nobody = format!("{ROUTE}/00000000-0000-7000-8000-000000000000");
    let rows = [
        (format!("{ROUTE}?minPosition=3"), 503, "projection_behind"),
        ("/v1/stats?minPosition=3".to_owned(), 503, "projection_behind"),
        (format!("{ROUTE}?minPosition=18446744073709551615"), 400, "malformed_request"),
        ("/v1/stats?minPosition=4".to_owned(), 400, "malformed_request"),
        (format!("{nobody}?minPosition=4"), 400, "malformed_request"),
        (format!("{nobody}/events?minPosition=4"), 400, "malformed_request"),
    ];
    let asked = rows.iter().map(|(path, ..)| answer(api.get(path)));
    for (told, (path, status, code)) in futures::future::join_all(asked).await.iter().zip(&rows) {
        assert_eq!((told.0.as_u16(), &told.1["code"]), (*status, &json!(code)), "{path}");
        assert_eq!(told.1["retryable"], *status == 503, "{path}");
    }
    // What is read from the log does not wait for the read model.
    let shown = format!("{ROUTE}/{}", ccd402_app::contract::sample::verification(2));
    for path in [format!("{shown}?minPosition=3"), format!("{shown}/events?minPosition=3")] {
        let (status, told) = answer(api.get(&path)).await;
        assert_eq!((status, &told["asOf"]), (StatusCode::OK, &json!(3)), "{path}");
    }
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let api = TestApi::start().await;
    let bad = [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "status=done",
        "payer=x",
        "payTo=x",
        "asset=ccd",
        "asset=",
        "network=eip155:1",
        "transaction=ab",
        "from=yesterday",
        "to=1",
        "tenant=Shop",
        "minPosition=-1",
        "minPosition=x",
        "offset=3",
        "cursor=1&cursor=2",
        "a=%ff",
    ];
    for query in bad {
        let malformed = (400, "malformed_request".to_owned());
        assert_eq!(refused(&api, query).await, malformed, "{query}");
    }
    assert_eq!(page(&api, "limit=200&from=9999-01-01T00:00:00Z").await["verifications"], json!([]));
    assert_eq!(page(&api, "to=1000-01-01T00:00:00Z").await["verifications"], json!([]));
    api.reads.model().discard().await;
    assert_eq!(refused(&api, "").await, (503, "projection_behind".to_owned()));
}

#[tokio::test]
async fn lists_are_read_also_where_the_log_is_not() {
    let api = TestApi::start().await;
    add(&api, 1, vec![requested(1, 1)]).await;
    api.project().await;
    api.log.fail(Fault::Unreadable);
    assert_eq!(numbers(&page(&api, "minPosition=1").await), [1]);
}
