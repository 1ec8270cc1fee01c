//! The resolver: proofs and late transactions, until they are decided.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;
use ccd402_workers::resolver::Resolver;

use crate::support::{Bench, LONG};

async fn begun() -> Bench {
    let bench = Bench::new();
    bench.facilitator.follow(&block(90, &[]), None).await.unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn proofs_are_checked_without_anybody_asking() {
    let bench = begun().await;
    let worker = tokio::spawn(Resolver::new(bench.facilitator.clone()).run(bench.shutdown.clone()));
    tokio::task::yield_now().await;
    let handed = Handed::by(1).proven();
    let id = bench.submit(&handed).await;
    bench.facilitator.follow(&block(91, &[&handed]), Some(block_ref(90))).await.unwrap();
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
    bench.chain.refuse_signatures(Rejection::of(ReasonCode::PaymentNotBound));
    let signed = bench.submit(&Handed::by(2).signed()).await;
    assert_eq!(bench.outcome(signed).await, Some(Err(ReasonCode::PaymentNotBound)));
    bench.stop(worker).await;
}

#[tokio::test(start_paused = true)]
async fn while_no_node_answers_it_tries_again() {
    let bench = begun().await;
    let worker = tokio::spawn(Resolver::new(bench.facilitator.clone()).run(bench.shutdown.clone()));
    tokio::task::yield_now().await;
    let handed = Handed::by(1).proven();
    bench.chain.set_unavailable(true);
    let id = bench.submit(&handed).await;
    bench.facilitator.follow(&block(91, &[&handed]), Some(block_ref(90))).await.unwrap();
    assert_eq!(bench.outcome(id).await, None);
    assert!(bench.chain.presentations().len() > 2);
    bench.chain.set_unavailable(false);
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
    bench.stop(worker).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_follower_decides_is_left_to_it() {
    let bench = begun().await;
    let worker = tokio::spawn(Resolver::new(bench.facilitator.clone()).run(bench.shutdown.clone()));
    tokio::task::yield_now().await;
    let id = bench.submit(&Handed::by(1)).await;
    assert_eq!(bench.outcome(id).await, None);
    assert_eq!(bench.chain.asked(), 0);
    bench.stop(worker).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_what_has_not_begun() {
    let bench = begun().await;
    let worker = tokio::spawn(Resolver::new(bench.facilitator.clone()).run(bench.shutdown.clone()));
    tokio::task::yield_now().await;
    bench.chain.set_unavailable(true);
    for number in 0..200 {
        bench.submit(&Handed::by(number).proven()).await;
    }
    while bench.chain.presentations().is_empty() {
        tokio::task::yield_now().await;
    }
    bench.shutdown.cancel();
    tokio::time::timeout(LONG, worker).await.unwrap().unwrap().unwrap();
    assert!(bench.chain.presentations().len() <= 64);
}
