//! The follower: goes on where it was, tries again, and halts where it does not understand.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::ports::chain::{ChainError, FinalizedBlock};
use ccd402_domain::ids::BlockHash;

use crate::support::{Bench, LONG, until_followed};

fn unavailable() -> Option<ChainError> {
    Some(ChainError::Unavailable("the test says so".into()))
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_followed_on_after_the_last_block() {
    let bench = Bench::new();
    let handed = Handed::by(1);
    let id = bench.submit(&handed).await;
    bench.script(&[block(90, &[]), block(91, &[])], unavailable());
    bench.script(&[], unavailable());
    bench.script(&[block(92, &[&handed])], None);
    let (worker, mut status) = bench.follow();
    until_followed(&mut status, 92).await;
    assert_eq!(bench.chain.begun_at(), [1, 92, 92]);
    assert_eq!(bench.outcome_now(id).await, Some(Ok(())));
    bench.stop(worker).await;
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_cannot_be_reached_at_first_is_tried_again() {
    let bench = Bench::new();
    bench.chain.set_unavailable(true);
    bench.script(&[block(90, &[])], None);
    let (worker, mut status) = bench.follow();
    tokio::time::sleep(LONG).await;
    assert_eq!(status.borrow().last, None);
    bench.chain.set_unavailable(false);
    until_followed(&mut status, 90).await;
    bench.stop(worker).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_halts_it_and_confirms_nothing() {
    let foreign =
        FinalizedBlock { parent: BlockHash::from_bytes([0; 32]), ..block(91, &[&Handed::by(1)]) };
    let odd = ChainError::NotUnderstood("an unknown effect".into());
    let rows = [
        (vec![block(90, &[])], Some(odd)),
        (vec![block(90, &[]), foreign], None),
        (vec![block(90, &[]), block(92, &[&Handed::by(1)])], None),
    ];
    for (blocks, last) in rows {
        let bench = Bench::new();
        let id = bench.submit(&Handed::by(1)).await;
        bench.script(&blocks, last);
        bench.script(&[block(91, &[&Handed::by(1)])], None);
        let (worker, mut status) = bench.follow();
        let halted = status.wait_for(|status| status.halted.is_some());
        tokio::time::timeout(LONG, halted).await.unwrap().unwrap();
        assert_eq!(bench.outcome_now(id).await, None, "pending, not refused");
        assert_eq!(bench.chain.begun_at(), [1], "it does not try again");
        assert_eq!(bench.facilitator.followed().await.unwrap(), Some(block_ref(90)));
        bench.stop(worker).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_log_says() {
    let bench = Bench::new();
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    bench.script(&[block(90, &[]), block(91, &[&handed]), block(92, &[])], None);
    bench.script(&[block(92, &[]), block(93, &[])], None);
    let (worker, mut status) = bench.follow();
    until_followed(&mut status, 92).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    let (worker, mut status) = bench.follow();
    until_followed(&mut status, 93).await;
    assert_eq!(bench.chain.begun_at(), [1, 92], "block 92 changed nothing and is repeated");
    bench.stop(worker).await;
}
