//! What can never come fails, and nothing else does.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::expire::Expired;
use ccd402_app::ports::chain::TransactionStatus;
use ccd402_protocol::code::ReasonCode;

use crate::support::Bench;

/// Block 411 is 11 s after all challenges have closed.
const LATE: u64 = 411;

async fn pass(bench: &Bench, height: u64) {
    bench.chain.set_height(height);
    let before = Some(block_ref(height - 1));
    bench.facilitator.follow(&block(height, &[]), before).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_never_came_fails_once_its_time_is_over() {
    let bench = Bench::new().await;
    let id = bench.submit(&Handed::by(1)).await;
    pass(&bench, LATE - 1).await;
    let expired = bench.facilitator.expire().await.unwrap();
    assert_eq!((expired, bench.outcome(id).await), (Expired::default(), None));
    pass(&bench, LATE).await;
    let expired = bench.facilitator.expire().await.unwrap();
    assert_eq!(expired, Expired { looked_at: 1, left: 0 });
    assert_eq!(bench.outcome(id).await, Some(Err(ReasonCode::TransactionNotFound)));
    assert_eq!(bench.facilitator.expire().await.unwrap(), Expired::default());
}

#[tokio::test(start_paused = true)]
async fn what_the_chain_has_is_never_given_up() {
    let bench = Bench::new().await;
    let (final_late, in_a_pool) = (Handed::by(1), Handed::by(2));
    let ids = [bench.submit(&final_late).await, bench.submit(&in_a_pool).await];
    pass(&bench, LATE).await;
    bench.chain.set_final(final_late.transaction(110));
    bench.chain.set_status(in_a_pool.payment().transaction, TransactionStatus::Received);
    bench.facilitator.expire().await.unwrap();
    assert_eq!(bench.outcome(ids[0]).await, Some(Ok(())));
    assert_eq!(bench.outcome(ids[1]).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_node_behind_the_follower_makes_nothing_fail() {
    let bench = Bench::new().await;
    let id = bench.submit(&Handed::by(1)).await;
    pass(&bench, LATE).await;
    bench.chain.set_height(LATE - 1);
    bench.facilitator.expire().await.unwrap();
    assert_eq!(bench.outcome(id).await, None);
    bench.chain.set_height(LATE);
    bench.facilitator.expire().await.unwrap();
    assert_eq!(bench.outcome(id).await, Some(Err(ReasonCode::TransactionNotFound)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_while_no_node_answers() {
    let bench = Bench::new().await;
    let id = bench.submit(&Handed::by(1)).await;
    pass(&bench, LATE).await;
    bench.chain.set_unavailable(true);
    let expired = bench.facilitator.expire().await.unwrap();
    assert_eq!(expired, Expired { looked_at: 1, left: 1 });
    assert_eq!(bench.outcome(id).await, None);
    bench.chain.set_unavailable(false);
    bench.facilitator.expire().await.unwrap();
    assert_eq!(bench.outcome(id).await, Some(Err(ReasonCode::TransactionNotFound)));
}

#[tokio::test(start_paused = true)]
async fn a_pass_over_many_pages_looks_at_each_once() {
    let bench = Bench::new().await;
    for number in 0..1_100 {
        bench.submit(&Handed::by(number)).await;
    }
    pass(&bench, LATE).await;
    let expired = bench.facilitator.expire().await.unwrap();
    assert_eq!(expired, Expired { looked_at: 1_100, left: 0 });
}
