//! The sweeper: waits for the first block, then recovers and expires.

use std::time::Duration;

use ccd402_app::contract::payments::{Handed, block};
use ccd402_protocol::code::ReasonCode;
use ccd402_workers::sweeper::{Options, Sweeper};

use crate::support::{Bench, LONG};

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_first_block_and_then_recovers_what_was_cut_off() {
    let bench = Bench::new();
    let handed = Handed::by(1);
    let id = bench.submit(&handed).await;
    bench.chain.set_final(handed.transaction(110));
    bench.chain.set_unavailable(true);
    bench.script(&[block(200, &[])], None);
    let (follower, status) = bench.follow();
    let options = Options { every: Duration::from_secs(10), everything_each: 6 };
    let sweeper = Sweeper::new(bench.facilitator.clone(), status, options);
    let worker = tokio::spawn(sweeper.run(bench.shutdown.clone()));
    assert_eq!(bench.outcome(id).await, None);
    assert_eq!(bench.chain.asked(), 0, "no block was seen");
    bench.chain.set_unavailable(false);
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
    bench.stop(worker).await;
    bench.stop(follower).await;
}

#[tokio::test(start_paused = true)]
async fn what_never_came_fails_once_a_node_can_say_so() {
    let bench = Bench::new();
    let id = bench.submit(&Handed::by(1)).await;
    bench.script(&[block(411, &[])], None);
    let (follower, mut status) = bench.follow();
    crate::support::until_followed(&mut status, 411).await;
    bench.chain.set_height(411);
    bench.chain.set_unavailable(true);
    let sweeper = Sweeper::new(bench.facilitator.clone(), status, Options::default());
    let worker = tokio::spawn(sweeper.run(bench.shutdown.clone()));
    tokio::time::sleep(LONG).await;
    assert_eq!(bench.outcome(id).await, None);
    bench.chain.set_unavailable(false);
    assert_eq!(bench.outcome(id).await, Some(Err(ReasonCode::TransactionNotFound)));
    bench.stop(worker).await;
    bench.stop(follower).await;
}
