//! One verification as an OpenTelemetry collector sees it, whichever processes have worked for it; and
//! that nothing depends on whether a collector is there.

use std::path::Path;
use std::time::Duration;

use ccd402_simchain::{Handle, Options as ChainOptions, SimChain};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::collector::{Collector, Span};
use crate::payments::{Payment, Seller, Terms};
use crate::postgres_server::PostgresServer;
use crate::process::{Process, arg, run};
use crate::receiver::Receiver;
use crate::redis_server::RedisServer;

const BLOCK_TIME: Duration = Duration::from_millis(250);
/// A stop may take as long as flushing traces may, and what else there is to end.
const STOP_MAX: Duration = Duration::from_secs(20);
/// What happens to a verification with an identity proof and a webhook, by who does it.
const BY_API: [&str; 1] = ["http.request"];
const BY_WORKER: [&str; 6] =
    ["chain.followed", "identity.check", "job.run", "node.call", "verification", "webhook.deliver"];

async fn chain() -> Handle {
    let options =
        ChainOptions { block_time: BLOCK_TIME, finality_delay: BLOCK_TIME, ..Default::default() };
    SimChain::start(options).await.unwrap()
}

/// A facilitator of one process.
async fn alone(dir: &Path, chain: &Handle, variables: &[(&str, &str)]) -> (Process, String) {
    let node = chain.url();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", arg(dir), "--node", &node];
    let here = ["--webhook-allow", "127.0.0.0/8"];
    let (process, ready) = Process::serve_with(&[&args[..], &here].concat(), variables).await;
    (process, ready["url"].as_str().unwrap().to_owned())
}

/// Hands a payment in; the verification's id.
async fn submit(url: &str, payment: &Payment) -> String {
    let post = Client::new().post(format!("{url}/v1/verifications")).json(&payment.request);
    let response = post.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let accepted: Value = response.json().await.unwrap();
    accepted["id"].as_str().unwrap().to_owned()
}

async fn confirmed(url: &str, id: &str) {
    let asked = Client::new().get(format!("{url}/v1/verifications/{id}?wait=60s")).send().await;
    let state: Value = asked.unwrap().json().await.unwrap();
    assert_eq!(state["status"], "confirmed", "{state}");
}

async fn tell(url: &str, receiver: &Receiver) {
    let hook = json!({ "url": receiver.url });
    let made = Client::new().post(format!("{url}/v1/webhooks")).json(&hook).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED, "{}", made.text().await.unwrap());
}

/// An adult pays for what only adults may have.
async fn paid(chain: &Handle) -> Payment {
    let seller = Seller::open(chain).await;
    let payer = seller.payer(chain, 100).await;
    seller.paid(&payer, Terms { adults_only: true, ..Terms::default() }).await
}

fn of<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// Appends that nobody was before.
fn appended(spans: &[Span]) -> Vec<&Span> {
    let has_place = |span: &&Span| span.attributes.contains_key("log.position");
    of(spans, "log.append").into_iter().filter(has_place).collect()
}

/// Everything that must be seen of it is there.
fn is_whole(spans: &[Span]) -> bool {
    let all = BY_API.iter().chain(&BY_WORKER);
    // Requested, its identity verified, confirmed.
    all.clone().all(|name| !of(spans, name).is_empty()) && appended(spans).len() >= 3
}

/// That the hops say what happened, one after the other, each below another one of the trace.
fn tells_the_story(spans: &[Span], id: &str) {
    let [whole] = of(spans, "verification")[..] else { panic!("it is one: {spans:#?}") };
    assert_eq!(whole.parent, "");
    assert_eq!(whole.attributes["verification.status"], "confirmed");
    for span in spans {
        assert_eq!(span.attributes["verification.id"], id);
        assert!(span.began_at <= span.ended_at, "{span:#?}");
        assert!(!span.is_error, "{span:#?}");
        let above = spans.iter().find(|other| other.id == span.parent);
        assert!(above.is_some() || span.id == whole.id, "nothing is above {span:#?}");
    }
    let first = |name: &str| of(spans, name)[0];
    let request = first("http.request");
    assert_eq!(request.attributes["http.route"], "/v1/verifications");
    assert_eq!(request.attributes["http.response.status_code"], "202");
    let requested = first("log.append");
    assert_eq!(requested.attributes["log.events"], "VerificationRequested");
    assert_eq!(requested.parent, request.id);
    let job = of(spans, "job.run")
        .into_iter()
        .find(|job| job.attributes["job.kind"] == "check_identity")
        .expect("a job checks the proof");
    assert_eq!(job.attributes["job.outcome"], "done");
    let check = first("identity.check");
    assert_eq!((&check.parent, check.attributes["identity.result"].as_str()), (&job.id, "holds"));
    let asked = of(spans, "node.call");
    let account = asked.iter().find(|call| call.attributes["rpc.method"] == "GetAccountInfo");
    assert!(account.is_some_and(|call| call.parent == check.id), "{asked:#?}");
    let told = first("webhook.deliver");
    assert_eq!(told.attributes["http.response.status_code"], "200");
    assert!(of(spans, "job.run").iter().any(|job| job.id == told.parent), "{told:#?}");
    let order = [request, requested, job, check];
    assert!(order.is_sorted_by_key(|span| span.began_at), "{order:#?}");
    assert!(request.ended_at >= requested.ended_at);
    assert!(first("chain.followed").attributes["block.height"].parse::<u64>().unwrap() > 0);
    let decides = |span: &&Span| span.attributes["log.events"].contains("VerificationConfirmed");
    let confirming = appended(spans).into_iter().find(decides).expect("it is confirmed");
    assert!(told.began_at >= confirming.began_at);
}

/// Nothing that somebody else must not know is among what they say.
fn shows_no_secret(spans: &[Span], payment: &Payment, receiver: &Receiver) {
    let said = format!("{spans:?}");
    let payload = &payment.request["paymentPayload"]["payload"];
    let proof = payload["presentation"].to_string();
    assert!(proof.len() > 200, "it has a proof: {payload}");
    assert!(!said.contains(&receiver.url), "URLs of webhooks may hold secrets");
    for name in ["proofValue", "presentation", "credentialSubject", "whsec_"] {
        assert!(!said.contains(name), "{name}: {said}");
    }
    assert!(spans.iter().flat_map(|span| span.attributes.values()).all(|text| text.len() < 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_every_hop_of_a_verification() {
    let (chain, collector, receiver) =
        (chain().await, Collector::start().await, Receiver::start().await);
    let dir = tempfile::tempdir().unwrap();
    let variables = [("CCD402_OTLP_ENDPOINT", collector.url.as_str())];
    let (process, url) = alone(dir.path(), &chain, &variables).await;
    tell(&url, &receiver).await;
    let payment = paid(&chain).await;
    let id = submit(&url, &payment).await;
    let spans = collector.trace(&id, is_whole).await;
    tells_the_story(&spans, &id);
    shows_no_secret(&spans, &payment, &receiver);
    assert!(spans.iter().all(|span| span.service == "ccd402-serve"), "{spans:#?}");

    // A stop sends what was not sent yet, and a request that is nobody's makes no span.
    let payment = paid(&chain).await;
    let id = submit(&url, &payment).await;
    confirmed(&url, &id).await;
    assert!(process.terminate().await.success());
    let spans = collector.trace(&id, |spans| !of(spans, "verification").is_empty()).await;
    assert!(!of(&spans, "http.request").is_empty(), "{spans:#?}");
    let polls = |span: &Span| {
        span.name == "http.request" && span.attributes["http.request.method"] == "GET"
    };
    assert!(!collector.arrived().iter().any(polls));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hops_in_several_processes_make_one_trace() {
    let (chain, collector, receiver) =
        (chain().await, Collector::start().await, Receiver::start().await);
    let servers = || (PostgresServer::shared(), RedisServer::start());
    let (postgres, redis) = tokio::task::spawn_blocking(servers).await.unwrap();
    let database = postgres.create_database();
    let migrated = run(&["migrate", "--database-url", &database]).await;
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let dir = tempfile::tempdir().unwrap();
    let (node, queue) = (chain.url(), redis.url());
    let (api, work) = (dir.path().join("api"), dir.path().join("work"));
    let shared = ["--node", &node, "--queue-url", &queue, "--database-url", &database];
    let traced = ["--webhook-allow", "127.0.0.0/8", "--otlp-endpoint", &collector.url];
    let first = ["serve", "--api-only", "--listen", "127.0.0.1:0", "--data-dir", arg(&api)];
    let (api, ready) = Process::serve(&[&first[..], &shared, &traced].concat()).await;
    std::fs::create_dir(&work).unwrap();
    std::fs::copy(dir.path().join("api/webhook.key"), work.join("webhook.key")).unwrap();
    let first = ["work", "--data-dir", arg(&work)];
    let (work, _) = Process::serve(&[&first[..], &shared, &traced].concat()).await;

    let url = ready["url"].as_str().unwrap();
    tell(url, &receiver).await;
    let payment = paid(&chain).await;
    let id = submit(url, &payment).await;
    let spans = collector.trace(&id, is_whole).await;
    tells_the_story(&spans, &id);
    let by = |names: &[&str], service: &str| {
        let theirs = spans.iter().filter(|span| names.contains(&span.name.as_str()));
        theirs.clone().count() >= names.len() && theirs.clone().all(|span| span.service == service)
    };
    assert!(by(&BY_API, "ccd402-serve") && by(&BY_WORKER, "ccd402-work"), "{spans:#?}");
    for process in [api, work] {
        assert!(process.terminate().await.success());
    }
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_does_not_wait_for_a_collector_that_is_away() {
    let chain = chain().await;
    let dir = tempfile::tempdir().unwrap();
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (name, endpoint) in [("silent", silent), ("gone", format!("http://{gone}"))] {
        let variables = [("CCD402_OTLP_ENDPOINT", endpoint.as_str())];
        let (mut process, url) = alone(&dir.path().join(name), &chain, &variables).await;
        for _ in 0..3 {
            let id = submit(&url, &paid(&chain).await).await;
            confirmed(&url, &id).await;
        }
        if name == "gone" {
            process.logs("the collector takes no traces").await;
            let id = submit(&url, &paid(&chain).await).await;
            confirmed(&url, &id).await;
            let warned = process.logged().matches("the collector takes no traces").count();
            assert_eq!(warned, 1, "{}", process.logged());
        }
        let stopped = tokio::time::timeout(STOP_MAX, process.terminate()).await;
        assert!(stopped.expect("it stops").success());
    }
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_the_setting_says_where() {
    let (chain, collector) = (chain().await, Collector::start().await);
    let dir = tempfile::tempdir().unwrap();
    // By this variable programs with OpenTelemetry in them often begin to send.
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let (process, url) = alone(dir.path(), &chain, &variables).await;
    let id = submit(&url, &paid(&chain).await).await;
    confirmed(&url, &id).await;
    assert!(process.terminate().await.success());
    assert!(collector.arrived().is_empty(), "{:#?}", collector.arrived());
    let ended = run(&["serve", "--otlp-endpoint", "collector:4317"]).await;
    assert!(ended.code == 1 && ended.stderr.contains("otlp_endpoint"), "{ended:?}");
    chain.shutdown().await;
}
