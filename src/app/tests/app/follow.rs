//! Applying blocks: each once, in order, and no other.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::error::Error;
use ccd402_app::ports::chain::{ChainError, FinalizedBlock};
use ccd402_domain::ids::BlockHash;
use ccd402_domain::transaction::BlockRef;

use crate::support::{Bench, FIRST, NEXT};

fn head(bench: &Bench) -> u64 {
    *bench.facilitator.log().head().borrow()
}

#[tokio::test(start_paused = true)]
async fn a_block_that_does_not_follow_is_refused() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let id = bench.submit(&handed).await;
    let foreign =
        FinalizedBlock { parent: BlockHash::from_bytes([0; 32]), ..block(NEXT, &[&handed]) };
    let before = head(&bench);
    for odd in [foreign, block(NEXT + 1, &[&handed]), block(FIRST, &[&handed])] {
        let refused = bench.facilitator.follow(&odd, Some(block_ref(FIRST))).await;
        assert!(matches!(refused, Err(Error::Chain(ChainError::NotUnderstood(_)))));
    }
    assert_eq!(bench.outcome(id).await, None);
    assert_eq!(head(&bench), before);
    assert_eq!(bench.facilitator.followed().await.unwrap(), Some(block_ref(FIRST)));
}

#[tokio::test(start_paused = true)]
async fn a_block_again_changes_nothing() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    // Each 64th is noted even where nothing happens in it.
    for (height, paid) in [(NEXT, vec![&handed]), (128, vec![])] {
        let (block, before) = (block(height, &paid), Some(block_ref(height - 1)));
        let first = bench.facilitator.follow(&block, before).await.unwrap();
        assert_eq!(first, paid.len());
        let log = head(&bench);
        assert_eq!(bench.facilitator.follow(&block, before).await.unwrap(), 0);
        assert_eq!(bench.another().follow(&block, before).await.unwrap(), 0);
        assert_eq!(head(&bench), log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_after_the_last_block_that_changed_something() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    let mut previous: BlockRef = block_ref(NEXT);
    for height in NEXT + 1..100 {
        bench.facilitator.follow(&block(height, &[]), Some(previous)).await.unwrap();
        previous = block_ref(height);
    }
    assert_eq!(bench.another().followed().await.unwrap(), Some(block_ref(NEXT)));
    for height in 100..=128 {
        bench.facilitator.follow(&block(height, &[]), Some(previous)).await.unwrap();
        previous = block_ref(height);
    }
    assert_eq!(bench.another().followed().await.unwrap(), Some(block_ref(128)));
    assert_eq!(bench.facilitator.last_block(), Some(block_ref(128)));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_outside_the_window_pays_nothing() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let id = bench.submit(&handed).await;
    // Block 401 is 1 s after the challenge has closed.
    bench.facilitator.follow(&block(401, &[&handed]), Some(block_ref(400))).await.unwrap();
    let code = ccd402_protocol::code::ReasonCode::TransferOutsideChallenge;
    assert_eq!(bench.outcome(id).await, Some(Err(code)));
}
