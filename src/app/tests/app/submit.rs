//! `POST /v1/verifications`: taken in at once, repeated under a key, bounded.

use std::time::Duration;

use ccd402_app::contract::payments::{Handed, block, block_ref, policy};
use ccd402_app::error::Error;
use ccd402_app::facilitator::Options;
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_app::ports::log::EventLog as _;
use ccd402_app::submit::Submitted;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;

use crate::support::{Bench, FIRST, NEXT, NO_WAIT, verify};

fn key() -> IdempotencyKey {
    "key".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn of_two_submissions_of_one_payment_one_is_confirmed() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let (first, second) = (bench.submit(&handed).await, bench.submit(&handed).await);
    assert_eq!(bench.outcome(first).await, None);
    bench.finalize(&[&handed]).await;
    assert_eq!(bench.outcome(first).await, Some(Ok(())));
    assert_eq!(bench.outcome(second).await, Some(Err(ReasonCode::PaymentAlreadyUsed)));
    let third = bench.submit(&handed).await;
    bench.facilitator.resolve(third).await.unwrap();
    assert_eq!(bench.outcome(third).await, Some(Err(ReasonCode::PaymentAlreadyUsed)));
}

#[tokio::test(start_paused = true)]
async fn a_key_repeats_its_submission_for_the_same_body_alone() {
    let bench = Bench::new().await;
    let (handed, other) = (Handed::by(1), Handed::by(2));
    let submit = |body: Vec<u8>| {
        let facilitator = bench.facilitator.clone();
        async move { facilitator.submit(&TenantId::default(), &body, Some(&key())).await.unwrap() }
    };
    let Ok(Submitted::New(id)) = submit(handed.body()).await else { panic!("it is new") };
    let Ok(Submitted::Repeated(state)) = submit(handed.body()).await else { panic!("it is not") };
    assert_eq!(state.id, id);
    let conflict = submit(other.body()).await.unwrap_err();
    assert_eq!(conflict.code, ReasonCode::IdempotencyKeyReused);
    bench.clock.advance(TimeDelta::days(3));
    let late = submit(handed.body()).await;
    assert!(matches!(late, Ok(Submitted::Repeated(_))), "too late to be handed in, not to repeat");
}

#[tokio::test(start_paused = true)]
async fn no_more_may_wait_than_is_allowed() {
    let bench = Bench::without_blocks(Options {
        policy: policy(),
        reservation: TimeDelta::seconds(60),
        wait_max: Duration::from_secs(80),
        waiting_max: 1,
        waiting_max_per_tenant: 1,
    });
    let (handed, other) = (Handed::by(1), Handed::by(2));
    bench
        .facilitator
        .submit(&TenantId::default(), &handed.body(), Some(&key()))
        .await
        .unwrap()
        .unwrap();
    let full = bench.facilitator.submit(&TenantId::default(), &other.body(), None).await;
    assert!(matches!(full, Err(Error::Overloaded)));
    let full = verify(&bench.facilitator, &other, None, NO_WAIT).await;
    assert!(matches!(full, Err(Error::Overloaded)));
    let repeated =
        bench.facilitator.submit(&TenantId::default(), &handed.body(), Some(&key())).await.unwrap();
    assert!(matches!(repeated, Ok(Submitted::Repeated(_))), "a repeat needs no room");
}

#[tokio::test(start_paused = true)]
async fn one_tenant_does_not_take_the_room_of_others() {
    let bench = Bench::without_blocks(Options {
        policy: policy(),
        reservation: TimeDelta::seconds(60),
        wait_max: Duration::from_secs(80),
        waiting_max: 3,
        waiting_max_per_tenant: 2,
    });
    let [greedy, modest]: [TenantId; 2] = ["greedy", "modest"].map(|name| name.parse().unwrap());
    let bodies: Vec<_> = (1..=3).map(|number| Handed::by(number).body()).collect();
    let submit = |tenant: &TenantId, number: usize| {
        let (facilitator, tenant) = (bench.facilitator.clone(), tenant.clone());
        let body = bodies[number].clone();
        async move { facilitator.submit(&tenant, &body, None).await.map(Result::unwrap) }
    };
    submit(&greedy, 0).await.unwrap();
    let items: Vec<_> = bodies.iter().map(Vec::as_slice).collect();
    let batch = bench.facilitator.submit_batch(&greedy, &items[..2], None).await;
    assert!(matches!(batch, Err(Error::TooManyWaiting)), "the batch is one too many: {batch:?}");
    submit(&greedy, 1).await.unwrap();
    assert!(matches!(submit(&greedy, 2).await, Err(Error::TooManyWaiting)));
    submit(&modest, 0).await.unwrap();
    assert!(matches!(submit(&modest, 1).await, Err(Error::Overloaded)), "all the room is taken");
    bench.facilitator.follow(&block(FIRST, &[&Handed::by(1)]), None).await.unwrap();
    bench.facilitator.follow(&block(NEXT, &[]), Some(block_ref(FIRST))).await.unwrap();
    let waiting = [&greedy, &modest].map(|tenant| bench.log.waiting_of(tenant));
    assert_eq!(waiting, [1, 0], "what is decided does not wait");
    submit(&greedy, 2).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.clock.advance(TimeDelta::days(3));
    let refused =
        bench.facilitator.submit(&TenantId::default(), &Handed::by(1).body(), None).await.unwrap();
    assert_eq!(refused.unwrap_err().code, ReasonCode::ChallengeExpired);
    let malformed = bench.facilitator.submit(&TenantId::default(), b"{", None).await;
    assert!(matches!(malformed, Err(Error::Malformed(_))));
    assert_eq!(*bench.facilitator.log().head().borrow(), 1, "the follower's block alone");
}
