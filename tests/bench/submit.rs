//! Submissions a second, one by one and in batches, each durable before its 202, against an axum
//! server that echoes the body of one.
//!
//! Run with `cargo bench --bench submit`. Servers and load share the machine's cores, and take
//! turns.

mod load;
mod submission;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use ccd402::compose::jobs::Options as JobOptions;
use ccd402::devnet::{Devnet, Options};
use ccd402_workers::follower::Status;
use chrono::TimeDelta;
use load::{Load, Template};

const CONNECTIONS: u64 = 256;
const SUBMISSIONS: u64 = 60_000;
/// Verifications of a batch, and connections that send batches.
const BATCH: u64 = 100;
const BATCH_CONNECTIONS: u64 = 16;
const ROUNDS: usize = 5;
const COVERED: TimeDelta = TimeDelta::seconds(15);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
    runtime.shutdown_background();
}

async fn run() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut options = Options::quick(dir.path().to_owned());
    options.block_time = Duration::from_secs(1);
    // As `ccd402 serve` does.
    options.jobs = JobOptions::default();
    let net = Devnet::start(options).await.expect("the devnet starts");
    covered(&net).await;
    let (body, hash) = submission::submission(&net).await;
    let submit = Arc::new(Template::post("/v1/verifications", &body, &hash));
    let many = format!("[{}]", vec![body.as_str(); BATCH as usize].join(","));
    let many = Arc::new(Template::post("/v1/verifications", &many, &hash));
    let echo = Arc::new(Template::post("/echo", &body, &hash));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let echo_addr = listener.local_addr().expect("an address");
    let router = Router::new().route("/echo", post(|body: Bytes| async { body }));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let amount = (CONNECTIONS, SUBMISSIONS);
    let batches = (BATCH_CONNECTIONS, SUBMISSIONS / BATCH);
    let (mut submitted, mut batched, mut echoed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let echo = load::run(echo_addr, Arc::clone(&echo), amount, "200").await;
        let addr = net.facilitator().addr();
        let ours = load::run(addr, Arc::clone(&submit), amount, "202").await;
        let batch = load::run(addr, Arc::clone(&many), batches, "202").await;
        let in_batches = rate(&batch) * BATCH as f64;
        println!(
            "round {round}: one by one {:>7.0}/s, in batches {in_batches:>7.0}/s, echo {:>7.0}/s",
            rate(&ours),
            rate(&echo)
        );
        // The first round warms up.
        if round > 0 {
            submitted.push(rate(&ours));
            batched.push(in_batches);
            echoed.push(rate(&echo));
        }
    }
    let (ours, batch) = (median(&mut submitted), median(&mut batched));
    let echo = median(&mut echoed);
    println!("{CONNECTIONS} connections, {} bytes a body; medians of {ROUNDS} rounds:", body.len());
    println!("  POST /v1/verifications {ours:>7.0}/s, each durable before its 202");
    println!("  in batches of {BATCH}      {batch:>7.0}/s, as durable");
    println!("  axum echo              {echo:>7.0}/s");
    println!("  one by one, to the echo  {:.2} (goal: 0.3 or more)", ours / echo);
    println!("  in batches, to singles   {:.1} (goal: 5 or more)", batch / ours);
}

/// Waits until the follower has seen every block of the last quarter of a minute. Before that each
/// submission asks the node about its transaction, as after every start.
async fn covered(net: &Devnet) {
    let mut follower = net.facilitator().follower();
    let block = |status: &Status| status.last.map(|block| block.time);
    let first = follower.wait_for(|status| status.last.is_some()).await.map(|s| block(&s));
    let first = first.expect("the follower runs");
    let is_covered = |status: &Status| block(status) > first.map(|time| time + COVERED);
    follower.wait_for(is_covered).await.expect("the follower runs");
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn rate(load: &Load) -> f64 {
    load.answered as f64 / load.time.as_secs_f64()
}
