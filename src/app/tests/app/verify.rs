//! `/verify`: waits for finality, is valid once, and repeats itself under a key.

use ccd402_app::contract::payments::{Handed, account, block, block_ref};
use ccd402_domain::account::AccountAddress;
use ccd402_domain::ids::ReservationId;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Bench, FIRST, NEXT, NO_WAIT, WAIT, is_valid, reason, verify};

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_block_and_is_valid_once() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let call = {
        let (facilitator, handed) = (bench.facilitator.clone(), handed.clone());
        tokio::spawn(async move { verify(&facilitator, &handed, None, WAIT).await.unwrap() })
    };
    bench.until_waiting(1).await;
    bench.finalize(&[&handed]).await;
    let answer = call.await.unwrap();
    assert_eq!(reason(&answer), Ok(None));
    let subject = answer.subject.unwrap();
    assert_eq!((subject.payer, subject.amount.units()), (account(1), 1_500_000));
    let again = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&again), Err(ReasonCode::PaymentAlreadyUsed));
    assert_eq!(bench.chain.asked(), 0, "the normal flow asks no node");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_final_in_time_is_pending_and_valid_later() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let early = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&early), Err(ReasonCode::TransactionPending));
    bench.finalize(&[&handed]).await;
    let later = bench.verify(&handed, NO_WAIT).await;
    assert_eq!(reason(&later), Ok(None));
    assert_eq!(early.subject, later.subject);
    assert_eq!(bench.chain.asked(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_at_once_one_is_valid() {
    for consumed_on_settle in [false, true] {
        let bench = Bench::new().await;
        let handed = Handed::by(1);
        let handed = if consumed_on_settle { handed.settled() } else { handed };
        let calls: Vec<_> = (0..200)
            .map(|_| {
                let (facilitator, handed) = (bench.facilitator.clone(), handed.clone());
                tokio::spawn(async move { verify(&facilitator, &handed, None, WAIT).await })
            })
            .collect();
        bench.until_waiting(1).await;
        bench.finalize(&[&handed]).await;
        let mut valid = 0;
        for call in calls {
            let answer = call.await.unwrap().unwrap();
            valid += usize::from(is_valid(&answer));
            let code = reason(&answer).err();
            assert!(code.is_none_or(|code| code == ReasonCode::PaymentAlreadyUsed), "{code:?}");
        }
        assert_eq!(valid, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_holds_until_it_lapses_or_is_given_back() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).settled();
    bench.finalize(&[&handed]).await;
    let first = bench.verify(&handed, WAIT).await;
    let reservation = reason(&first).unwrap().unwrap();
    let id = first.subject.unwrap().verification;
    bench.clock.advance(TimeDelta::seconds(59));
    let held = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&held), Err(ReasonCode::PaymentAlreadyUsed));

    let stranger = ReservationId(Uuid::from_u128(1));
    let refused =
        bench.facilitator.release(&TenantId::default(), id, stranger).await.unwrap().unwrap_err();
    assert_eq!(refused.code, ReasonCode::ReservationNotHeld);
    bench.facilitator.release(&TenantId::default(), id, reservation).await.unwrap().unwrap();
    let second = bench.verify(&handed, WAIT).await;
    assert!(is_valid(&second));

    bench.clock.advance(TimeDelta::seconds(60));
    let third = bench.verify(&handed, WAIT).await;
    assert!(is_valid(&third), "the second hold has lapsed");
    let late = bench
        .facilitator
        .release(&TenantId::default(), id, reason(&second).unwrap().unwrap())
        .await
        .unwrap();
    assert_eq!(late.unwrap_err().code, ReasonCode::ReservationNotHeld);
}

#[tokio::test(start_paused = true)]
async fn a_key_repeats_its_answer_for_the_same_body_alone() {
    let bench = Bench::new().await;
    let (handed, other) = (Handed::by(1).settled(), Handed::by(2));
    let ask = |handed: Handed, key: Option<&'static str>| {
        let facilitator = bench.facilitator.clone();
        async move { verify(&facilitator, &handed, key, NO_WAIT).await.unwrap() }
    };
    let pending = ask(handed.clone(), Some("key")).await;
    assert_eq!(reason(&pending), Err(ReasonCode::TransactionPending));
    bench.finalize(&[&handed, &other]).await;
    let first = ask(handed.clone(), Some("key")).await;
    assert!(is_valid(&first), "pending is no answer to keep");
    assert_eq!(ask(handed.clone(), Some("key")).await, first);
    let conflict = ask(other.clone(), Some("key")).await;
    assert_eq!(reason(&conflict), Err(ReasonCode::IdempotencyKeyReused));
    let without = ask(handed.clone(), None).await;
    assert_eq!(reason(&without), Err(ReasonCode::PaymentAlreadyUsed));
    let another = ask(handed.clone(), Some("another")).await;
    bench.clock.advance(TimeDelta::minutes(5));
    assert_eq!(ask(handed, Some("another")).await, another, "a refusal is kept, too");
    assert!(is_valid(&ask(other, None).await), "the refused body was not used up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_calls_under_one_key_hear_one_answer() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).settled();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (facilitator, handed) = (bench.facilitator.clone(), handed.clone());
            tokio::spawn(async move { verify(&facilitator, &handed, Some("key"), WAIT).await })
        })
        .collect();
    bench.until_waiting(1).await;
    bench.finalize(&[&handed]).await;
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().unwrap());
    }
    assert!(is_valid(&answers[0]));
    assert!(answers.iter().all(|answer| answer.result == answers[0].result));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_bodies_at_once_under_one_key_cannot_both_have_it() {
    for _ in 0..20 {
        let bench = Bench::new().await;
        let both = [Handed::by(1), Handed::by(2)];
        let calls = both.clone().map(|handed| {
            let facilitator = bench.facilitator.clone();
            tokio::spawn(async move { verify(&facilitator, &handed, Some("key"), WAIT).await })
        });
        bench.until_waiting(2).await;
        bench.finalize(&[&both[0], &both[1]]).await;
        let mut answers = Vec::new();
        for call in calls {
            answers.push(reason(&call.await.unwrap().unwrap()));
        }
        answers.sort();
        assert_eq!(answers, [Ok(None), Err(ReasonCode::IdempotencyKeyReused)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_is_first_spoils_nothing() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).proven();
    let mut alias = *account(1).as_bytes();
    alias[31] = 0xff;
    let strangers = [
        handed.clone().with("sender", json!(account(9))),
        handed.clone().with("sender", json!(AccountAddress::from_bytes(alias))),
        handed.clone().with("binding", json!({ "type": "presentation" })),
        handed.clone().with("binding", json!({ "type": "memo", "signatures": {} })),
        handed.clone().with("presentation", json!({ "proof": "of another" })),
        handed.clone().for_request(7),
    ];
    let expected = bench.verify(&handed, NO_WAIT).await.subject.unwrap().verification;
    for stranger in strangers {
        let answer = bench.verify(&stranger, NO_WAIT).await;
        assert_ne!(answer.subject.unwrap().verification, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_sender_first_does_not_fail_the_payer() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let stranger = handed.clone().with("sender", json!(account(9)));
    bench.verify(&stranger, NO_WAIT).await;
    bench.finalize(&[&handed]).await;
    assert_eq!(reason(&bench.verify(&stranger, WAIT).await), Err(ReasonCode::PaymentNotBound));
    assert!(is_valid(&bench.verify(&handed, WAIT).await));
}

#[tokio::test(start_paused = true)]
async fn proofs_that_cannot_be_kept_are_refused() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).proven().with("presentation", json!("x".repeat(64 * 1024)));
    let answer = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&answer), Err(ReasonCode::InvalidPayload));
    assert_eq!(answer.subject, None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_leaves_the_payment_to_the_next() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let call = {
        let (facilitator, handed) = (bench.facilitator.clone(), handed.clone());
        tokio::spawn(async move { verify(&facilitator, &handed, None, WAIT).await })
    };
    bench.until_waiting(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    bench.facilitator.follow(&block(NEXT, &[&handed]), Some(block_ref(FIRST))).await.unwrap();
    assert!(is_valid(&bench.verify(&handed, WAIT).await));
}
