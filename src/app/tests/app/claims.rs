//! One transaction, several verifications: one is confirmed, whatever the order.

use ccd402_app::contract::payments::{Handed, block, block_ref, hash};
use ccd402_app::contract::sample::network;
use ccd402_app::ports::log::{APPEND_EVENTS_MAX, EventLog as _};
use ccd402_protocol::code::ReasonCode;

use crate::support::{Bench, FIRST, NEXT, NO_WAIT, WAIT, is_valid, verify};

#[tokio::test(start_paused = true)]
async fn the_bound_one_wins_whatever_the_order() {
    for winner in 0..3 {
        let bench = Bench::new().await;
        let requests: Vec<_> = (0..3).map(|nonce| Handed::by(1).for_request(nonce)).collect();
        let mut ids = Vec::new();
        for handed in &requests {
            ids.push(bench.submit(handed).await);
        }
        bench.finalize(&[&requests[winner]]).await;
        for (place, id) in ids.into_iter().enumerate() {
            let expected = if place == winner { Ok(()) } else { Err(ReasonCode::PaymentNotBound) };
            assert_eq!(bench.outcome(id).await, Some(expected), "{place} of {winner}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn follower_and_callers_at_once_confirm_one() {
    for _ in 0..20 {
        let bench = Bench::new().await;
        // Beside it, a facilitator that has seen no block and so asks the chain.
        let beside = bench.another();
        let handed = Handed::by(1);
        let submitted = bench.submit(&handed).await;
        bench.chain.set_final(handed.transaction(NEXT));
        let call = {
            let handed = handed.clone();
            tokio::spawn(async move { verify(&beside, &handed, None, WAIT).await.unwrap() })
        };
        let (block, facilitator) = (block(NEXT, &[&handed]), bench.facilitator.clone());
        let followed =
            tokio::spawn(async move { facilitator.follow(&block, Some(block_ref(FIRST))).await });
        let resolved = {
            let beside = bench.another();
            tokio::spawn(async move { beside.resolve(submitted).await })
        };
        followed.await.unwrap().unwrap();
        resolved.await.unwrap().unwrap();
        let answer = call.await.unwrap();
        let verified = answer.subject.unwrap().verification;
        let outcomes = [bench.outcome(submitted).await, bench.outcome(verified).await];
        let lost = Some(Err(ReasonCode::PaymentAlreadyUsed));
        assert!(outcomes == [Some(Ok(())), lost] || outcomes == [lost, Some(Ok(()))]);
        let owner = bench.log.claim_owner(&network(), hash(1)).await.unwrap().unwrap();
        assert_eq!(bench.outcome(owner).await, Some(Ok(())));
        assert_eq!(answer.result.is_ok(), owner == verified);
    }
}

#[tokio::test(start_paused = true)]
async fn more_may_wait_for_one_hash_than_one_append_takes() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let stranger = Handed::by(1).for_request(1);
    for _ in 0..=APPEND_EVENTS_MAX {
        bench.submit(&stranger).await;
    }
    let payer = bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    assert_eq!(bench.outcome(payer).await, Some(Ok(())));
    assert_eq!(bench.log.waiting_count(), 0);
    assert_eq!(bench.facilitator.followed().await.unwrap(), Some(block_ref(NEXT)));
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_submission_leaves_nothing_for_verify() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    assert!(!is_valid(&bench.verify(&handed, NO_WAIT).await));
}
