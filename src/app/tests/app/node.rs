//! When the node is asked, and what happens while it does not answer.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::contract::payments::{Handed, at, block, block_ref};
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::ports::queue::Job;
use ccd402_domain::ids::{Digest, VerificationId};
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::verification::event::VerificationRequested;
use ccd402_protocol::code::ReasonCode;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{Bench, FIRST, NEXT, WAIT, is_valid, reason, verify};

#[tokio::test(start_paused = true)]
async fn a_transaction_before_the_first_block_is_asked_for() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let restarted = bench.another();
    restarted.follow(&block(200, &[]), None).await.unwrap();
    bench.chain.set_final(handed.transaction(110));
    let answer = verify(&restarted, &handed, None, WAIT).await.unwrap();
    assert!(is_valid(&answer));
    assert_eq!(bench.chain.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_node_it_is_pending_and_with_one_it_is_decided() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let restarted = bench.another();
    bench.chain.set_final(handed.transaction(110));
    bench.chain.set_unavailable(true);
    let answer = verify(&restarted, &handed, None, WAIT).await.unwrap();
    assert_eq!(reason(&answer), Err(ReasonCode::TransactionPending));
    bench.chain.set_unavailable(false);
    assert!(is_valid(&verify(&restarted, &handed, None, WAIT).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_while_a_caller_waits_is_asked_again() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let restarted = bench.another();
    bench.chain.set_final(handed.transaction(110));
    bench.chain.set_unavailable(true);
    let chain = bench.chain.clone();
    let back = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        chain.set_unavailable(false);
    });
    assert!(is_valid(&verify(&restarted, &handed, None, WAIT).await.unwrap()));
    back.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_never_answers_keeps_no_caller_longer_than_he_waits() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let restarted = bench.another();
    bench.chain.set_stalled(true);
    let begun = Instant::now();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (restarted, handed) = (restarted.clone(), handed.clone());
            tokio::spawn(async move { verify(&restarted, &handed, None, WAIT).await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(reason(&call.await.unwrap()), Err(ReasonCode::TransactionPending));
    }
    assert!(begun.elapsed() <= WAIT + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_waits_notices_what_another_process_decided() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let beside = bench.another();
    let id = bench.submit(&handed).await;
    let waits = {
        let facilitator = bench.facilitator.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let state = facilitator.query(&Reach::All, id, WAIT).await.unwrap().unwrap();
            (state.is_decided(), begun.elapsed())
        })
    };
    tokio::task::yield_now().await;
    beside.follow(&block(NEXT, &[&handed]), Some(block_ref(FIRST))).await.unwrap();
    let (is_decided, waited) = waits.await.unwrap();
    assert!(is_decided && waited < WAIT, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_nothing_that_exists_does_not_wait() {
    let bench = Bench::new().await;
    let nobody = VerificationId(Uuid::from_u128(1));
    let begun = Instant::now();
    assert_eq!(bench.facilitator.query(&Reach::All, nobody, WAIT).await.unwrap(), None);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_follower_does_not_decide_calls_for_a_job() {
    let bench = Bench::new().await;
    let needs = |handed: &Handed| calls_for_a_job(&bench.facilitator, handed);
    assert!(!needs(&Handed::by(1)));
    assert!(needs(&Handed::by(1).proven()) && needs(&Handed::by(1).signed()));
    assert!(calls_for_a_job(&bench.another(), &Handed::by(1)), "it has seen no block");
    bench.finalize(&[&Handed::by(1)]).await;
    assert!(needs(&Handed::by(1)), "the follower has passed it");
    assert!(!needs(&Handed::by(2)));
}

#[tokio::test(start_paused = true)]
async fn who_dispatches_late_makes_no_work_of_what_is_decided() {
    let bench = Bench::new().await;
    let (plain, proven) = (Handed::by(1), Handed::by(2).proven());
    bench.finalize(&[&plain, &proven]).await;
    let (late, open) = (bench.submit(&plain).await, bench.submit(&proven).await);
    let jobs = async || {
        let events = bench.log.read_all(0, 100).await.unwrap();
        bench.facilitator.jobs_for(&events).await.unwrap()
    };
    let resolve = Job::ResolveTransaction { verification: late };
    let check = Job::CheckIdentity { verification: open };
    assert_eq!(jobs().await, [resolve, check]);
    bench.facilitator.resolve(late).await.unwrap();
    assert_eq!(jobs().await, [check]);
}

fn calls_for_a_job(facilitator: &Facilitator, handed: &Handed) -> bool {
    let requested = VerificationRequested {
        verification: VerificationId(Uuid::nil()),
        tenant: TenantId::default(),
        payment: Arc::new(handed.payment()),
        body: Digest::from_bytes([0; 32]),
        requested_at: at(1),
        listing: None,
    };
    facilitator.job_for(&requested).is_some()
}
