//! What a verification costs the node: blocks are asked for, not transactions.

use std::time::Duration;

use ccd402::devnet::{Devnet, Options};
use ccd402_workers::follower::Status;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::Value;

use crate::payments::{Fate, PRICE, Payment, Seller, Terms};

/// Verifications, whose transfers arrive in blocks, by so many payers.
const PAYMENTS: usize = 300;
const PAYERS: usize = 4;
/// How far back the follower must have seen blocks, so that it needs no node for a new offer.
const COVERED: TimeDelta = TimeDelta::seconds(15);

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_arrive_in_blocks_cost_a_tenth_of_a_call_each_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::quick(dir.path().to_owned());
    options.block_time = Duration::from_secs(2);
    let net = Devnet::start(options).await.unwrap();
    let seller = Seller::open(net.chain()).await;
    let ccd = u32::try_from(PRICE / 1_000_000).unwrap() * 2 * u32::try_from(PAYMENTS).unwrap();
    let payers = join_all((0..PAYERS).map(|_| seller.payer(net.chain(), ccd))).await;
    covered(&net).await;

    let asked_before = net.chain().asked();
    let (http, base) = (reqwest::Client::new(), net.facilitator().url());
    let handed_in = join_all(payers.iter().map(|payer| async {
        let mut urls = Vec::new();
        for _ in 0..PAYMENTS / PAYERS {
            let offer = seller.offer(Terms::default());
            let transfer = payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap();
            let payload = offer.payload(transfer.hash, payer.wallet().address(), None);
            let payment = Payment::new(&offer, &payload, transfer.hash, Fate::Confirmed);
            let post = http.post(format!("{base}/v1/verifications")).json(&payment.request);
            let accepted: Value = post.send().await.unwrap().json().await.unwrap();
            urls.push(format!("{base}{}?wait=60s", accepted["statusUrl"].as_str().unwrap()));
            payer.wallet().send(&transfer.bytes).await.unwrap();
        }
        urls
    }));
    let urls = handed_in.await.concat();
    for url in &urls {
        let state: Value = http.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(state["status"], "confirmed", "{state}");
    }
    let asked = net.chain().asked() - asked_before;
    println!("{asked} calls for {} verifications", urls.len());
    assert!(asked * 10 <= urls.len() as u64, "{asked} calls for {} verifications", urls.len());
    net.stop().await.unwrap();
}

async fn covered(net: &Devnet) {
    let mut follower = net.facilitator().follower();
    let time = |status: &Status| status.last.map(|block| block.time);
    let first = follower.wait_for(|status| status.last.is_some()).await.map(|s| time(&s)).unwrap();
    let is_covered = |status: &Status| time(status) > first.map(|first| first + COVERED);
    follower.wait_for(is_covered).await.unwrap();
}
