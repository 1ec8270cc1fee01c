//! `GET /v1/stats`: what is counted, of whom, and how it is written.

use std::sync::Arc;

use ccd402_api::options::Options;
use ccd402_api::server::Limits;
use ccd402_app::contract::queue::job;
use ccd402_app::contract::sample::{append, confirmed, failed, network, payment, requested, time};
use ccd402_app::ports::log::Append;
use ccd402_app::ports::queue::JobQueue as _;
use ccd402_domain::event::Event;
use ccd402_domain::key::scope::Scope;
use chrono::TimeDelta;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::purchase::Purchase;
use crate::support::{TestApi, answer};

const ROUTE: &str = "/v1/stats";
/// A URL that spreadsheets would run.
const FORMULA: &str = "=HYPERLINK(\"https://evil.example/\",\"a, b\")";

/// Three verifications: one that was confirmed after 1.5 s, one refused, one of a strange URL.
async fn with_three() -> TestApi {
    let api = TestApi::start().await;
    api.log.append_sample(append(1, 0, vec![requested(1, 1)])).await;
    let later = time() + TimeDelta::milliseconds(1_500);
    let confirms = Append { time: later, ..append(1, 1, vec![confirmed(1, 1)]) };
    api.log.append_sample(confirms).await;
    api.log.append_sample(append(2, 0, vec![requested(2, 2), failed(2, 2)])).await;
    let Event::VerificationRequested(mut strange) = requested(3, 3) else { panic!("a request") };
    Arc::make_mut(&mut strange.payment).resource.url = FORMULA.to_owned();
    api.log.append_sample(append(3, 0, vec![Event::from(strange)])).await;
    api.project().await;
    api
}

async fn stats(api: &TestApi, query: &str) -> Value {
    let (status, told) = answer(api.get(&format!("{ROUTE}?{query}"))).await;
    assert_eq!(status, StatusCode::OK, "{query}: {told}");
    told
}

fn group(status: &str, amount: &str) -> Value {
    json!({
        "network": network(), "asset": "CCD", "status": status, "count": 1, "amount": amount,
    })
}

fn with(group: &Value, name: &str, value: &str) -> Value {
    let mut group = group.clone();
    group[name] = value.into();
    group
}

#[tokio::test]
async fn everything_is_counted_by_what_it_is() {
    let api = with_three().await;
    let told = stats(&api, "step=day").await;
    let groups =
        [group("confirmed", "1000001"), group("failed", "1000002"), group("pending", "1000003")];
    let by = |name: &str, values: [&str; 3]| {
        let groups: Vec<_> =
            groups.iter().zip(values).map(|(group, value)| with(group, name, value)).collect();
        json!({ "groups": groups, "isCut": false })
    };
    let pay_to = payment(1).pay_to.to_string();
    let day = time().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let day = serde_json::to_value(day).unwrap();
    let urls = [payment(1).resource.url, payment(2).resource.url];
    let by_resource = json!({
        "groups": [
            with(&groups[2], "resource", FORMULA),
            with(&groups[0], "resource", &urls[0]),
            with(&groups[1], "resource", &urls[1]),
        ],
        "isCut": false,
    });
    let expected = json!({
        "asOf": 5, "step": "day", "totals": groups,
        "byPayTo": by("payTo", [&pay_to; 3]),
        "byResource": by_resource,
        "byTime": by("begins", [day.as_str().unwrap(); 3]),
        "refusals": [{ "code": "payment_not_bound", "count": 1 }],
        "finality": { "count": 1, "p50Ms": 1500, "p90Ms": 1500, "p99Ms": 1500 },
    });
    assert_eq!(told, expected);
    assert_eq!(stats(&api, "").await["step"], "hour");
    let minute = stats(&api, "step=minute").await;
    assert!(minute["byTime"]["groups"][0]["begins"].as_str().unwrap().ends_with(":00Z"));
    let failed = stats(&api, "status=failed").await;
    assert_eq!(failed["totals"], json!([groups[1]]));
    assert_eq!(failed["finality"]["count"], 0);
    assert_eq!(stats(&api, "tenant=nobody").await["totals"], json!([]));
}

#[tokio::test]
async fn a_spreadsheet_gets_a_table_without_formulas() {
    let api = with_three().await;
    let by_query = api.get(&format!("{ROUTE}?format=csv&step=day&lag=true"));
    let text = by_query.send().await.unwrap().text().await.unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("table,key,network,asset,status,count,amount,milliseconds"));
    assert_eq!(lines.next(), Some("asOf,5,,,,,,"));
    let strange = format!(
        "byResource,\"'=HYPERLINK(\"\"https://evil.example/\"\",\"\"a, b\"\")\",{},CCD,pending,1,\
         1000003,",
        network()
    );
    let rows: Vec<_> = lines.collect();
    for row in [
        &format!("totals,,{},CCD,confirmed,1,1000001,", network()),
        &strange,
        "refusals,payment_not_bound,,,failed,1,,",
        "finality,p50,,,confirmed,1,,1500",
        "lag,events,,,,0,,",
    ] {
        assert!(rows.contains(&row), "{row} is not in\n{text}");
    }
    let mut read = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    for record in read.records() {
        for cell in &record.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }

    for (accept, query, media) in [
        ("text/csv", "", "text/csv; charset=utf-8"),
        ("text/csv", "format=json", "application/json"),
        ("application/json, text/csv;q=0.1", "", "application/json"),
        ("*/*", "", "application/json"),
        ("application/json", "format=csv", "text/csv; charset=utf-8"),
    ] {
        let response = api.get(&format!("{ROUTE}?{query}")).header(ACCEPT, accept).send().await;
        let response = response.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], media, "{accept} {query}");
        assert_eq!(response.headers()["vary"], "accept");
    }
}

#[tokio::test]
async fn what_does_not_follow_from_the_log_is_told_where_it_is_asked_for() {
    let api = with_three().await;
    api.log.append_sample(append(4, 0, vec![requested(4, 4), confirmed(4, 4)])).await;
    assert_eq!(stats(&api, "lag=false").await.get("lag"), None);
    let told = stats(&api, "lag=true").await;
    let lag =
        |events: u64, jobs: u64| json!({ "events": events, "jobsWaiting": jobs, "jobsDead": 0 });
    assert_eq!((&told["asOf"], &told["lag"]), (&json!(5), &lag(2, 0)));
    api.project().await;
    api.jobs.push(&[job(1)]).await.unwrap();
    assert_eq!(stats(&api, "lag=true").await["lag"], lag(0, 1));
}

#[tokio::test]
async fn a_tenant_counts_its_own() {
    let options = Options { require_keys: true, ..Options::default() };
    let api = TestApi::start_with(options, Limits::default()).await;
    let both = [Scope::Submit, Scope::Read];
    let (shop, other) = (api.key("shop", &both).await, api.key("other", &both).await);
    let operator = api.key("ops", &[Scope::Operate]).await;
    for (key, number) in [(&shop, 1), (&shop, 2), (&other, 3)] {
        let submit = api.post("/v1/verifications", &Purchase::new(number).request());
        assert_eq!(answer(submit.bearer_auth(key)).await.0, StatusCode::ACCEPTED);
    }
    api.project().await;
    let count = async |key: &str, query: &str| {
        let request = api.get(&format!("{ROUTE}?{query}")).bearer_auth(key);
        let (status, told) = answer(request).await;
        (status.as_u16(), told["totals"][0]["count"].as_u64())
    };
    assert_eq!(count(&shop, "").await, (200, Some(2)));
    assert_eq!(count(&other, "").await, (200, Some(1)));
    assert_eq!(count(&other, "tenant=shop").await, (403, None));
    assert_eq!(count(&operator, "").await, (200, Some(3)));
    assert_eq!(count(&operator, "tenant=shop").await, (200, Some(2)));
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let api = TestApi::start().await;
    for query in ["step=week", "format=xml", "lag=1", "limit=3", "status=x", "step=day&step=day"] {
        let (status, problem) = answer(api.get(&format!("{ROUTE}?{query}"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["code"], "malformed_request", "{query}");
    }
    assert_eq!(stats(&api, "").await["totals"], json!([]));
    api.reads.model().discard().await;
    let (status, problem) = answer(api.get(ROUTE)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("projection_behind")));
}
