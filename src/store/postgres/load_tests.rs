//! How much replicas append, with a server that syncs its log. Measured on demand:
//! `cargo test --release -p ccd402-store --lib postgres::load -- --ignored --nocapture`

use std::time::Instant;

use ccd402_app::contract::sample::{append, confirmed, requested};
use futures::future::join_all;

use super::tests::Ground;
use super::*;

/// Verifications that each writer brings from request to confirmation.
const EACH: u64 = 250;

async fn load(ground: &Ground, replicas: u64, writers: u64, base: u64) -> (f64, u64) {
    let logs = join_all((0..replicas).map(|_| ground.open())).await;
    let begun = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let log = logs[(writer % replicas) as usize].clone();
        tokio::spawn(async move {
            for number in (0..EACH).map(|one| base + writer * EACH + one) {
                log.append(vec![append(number, 0, vec![requested(number, number)])]).await.unwrap();
                log.append(vec![append(number, 1, vec![confirmed(number, number)])]).await.unwrap();
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    for log in &logs {
        log.close().await;
    }
    (took, writers * EACH)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures and takes long"]
async fn how_much_replicas_append() {
    let ground = Ground::alone().await;
    ground.run("ALTER SYSTEM SET fsync = on").await;
    ground.run("SELECT pg_reload_conf()").await;
    let mut base = 0;
    for (replicas, writers) in [(1, 1), (1, 16), (1, 256), (2, 256), (4, 16), (4, 256)] {
        let (took, verifications) = load(&ground, replicas, writers, base).await;
        base += 1_000_000;
        println!(
            "{replicas} replicas, {writers} at once: {:.0} events/s",
            2.0 * verifications as f64 / took
        );
    }
}
