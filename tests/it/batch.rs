//! Batches over a real log and a chain: what is taken in comes to its end, and a repeat is known as
//! such after a restart too.

use std::time::Duration;

use ccd402::compose::facilitator::{self, Options, Running};
use ccd402::devnet::Listen;
use ccd402_simchain::{Options as ChainOptions, SimChain};
use serde_json::{Value, json};

use crate::payments::{Seller, Terms};

const PAYMENTS: usize = 12;

async fn send(running: &Running, body: String) -> Value {
    let url = format!("{}/v1/verifications", running.url());
    let post = reqwest::Client::new().post(url).header("content-type", "application/x-ndjson");
    let response = post.header("idempotency-key", "tonight").body(body).send().await.unwrap();
    assert_eq!(response.status(), 202);
    response.json().await.unwrap()
}

fn lines<'a>(requests: impl IntoIterator<Item = &'a Value>) -> String {
    requests.into_iter().map(|request| format!("{request}\n")).collect()
}

async fn decided(running: &Running, id: &Value) -> Value {
    let url = format!("{}/v1/verifications/{}?wait=60s", running.url(), id.as_str().unwrap());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_confirmed_and_its_repeat_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let time = Duration::from_millis(250);
    let options = ChainOptions { block_time: time, finality_delay: time, ..Default::default() };
    let chain = SimChain::start(options).await.unwrap();
    let start = || {
        let data = dir.path().join("facilitator");
        facilitator::start(Options::new(Listen::anywhere().facilitator, data, vec![chain.url()]))
    };
    let running = start().await.unwrap();
    let seller = Seller::open(&chain).await;
    let payer = seller.payer(&chain, 500).await;
    let mut requests = Vec::new();
    for number in 0..PAYMENTS {
        let terms = Terms { adults_only: number % 4 == 0, ..Terms::default() };
        requests.push(seller.paid(&payer, terms).await.request);
    }
    let mut with_junk = requests.clone();
    with_junk.insert(5, json!({ "hello": "world" }));
    let first = send(&running, lines(&with_junk)).await;
    assert_eq!((&first["accepted"], &first["refused"]), (&PAYMENTS.into(), &1.into()));
    assert_eq!(first["results"][5]["code"], "malformed_request");
    for result in first["results"].as_array().unwrap() {
        if result["status"] == "accepted" {
            let state = decided(&running, &result["id"]).await;
            assert_eq!(state["status"], "confirmed", "{state}");
        }
    }
    running.stop().await.unwrap();

    let running = start().await.unwrap();
    let again = send(&running, lines(requests.iter().rev())).await;
    assert_eq!(again["repeated"], PAYMENTS);
    assert_eq!(again["results"][0]["id"], first["results"][PAYMENTS]["id"]);
    running.stop().await.unwrap();
    chain.shutdown().await;
}
