//! `/settle`: succeeds once.

use std::sync::Arc;

use ccd402_app::contract::payments::Handed;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::verify::Call;
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::code::ReasonCode;

use crate::support::{Bench, NO_WAIT, WAIT, is_valid, reason};

#[tokio::test(start_paused = true)]
async fn a_payment_is_settled_once() {
    for handed in [Handed::by(1), Handed::by(1).settled()] {
        let bench = Bench::new().await;
        let early = bench.settle(&handed).await;
        assert_eq!(reason(&early), Err(ReasonCode::SettlementPending));
        bench.finalize(&[&handed]).await;
        assert!(is_valid(&bench.verify(&handed, WAIT).await));
        assert_eq!(reason(&bench.settle(&handed).await), Ok(None));
        let again = bench.settle(&handed).await;
        assert_eq!(reason(&again), Err(ReasonCode::DuplicateSettlement));
        let verified = bench.verify(&handed, WAIT).await;
        assert_eq!(reason(&verified), Err(ReasonCode::PaymentAlreadyUsed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_payment_is_not_settled() {
    let bench = Bench::new().await;
    let (handed, other) = (Handed::by(1).for_request(1), Handed::by(1).for_request(2));
    bench.finalize(&[&other]).await;
    let refused = bench.settle(&handed).await;
    assert_eq!(reason(&refused), Err(ReasonCode::PaymentNotBound));
}

async fn settle(
    facilitator: Arc<Facilitator>,
    handed: Handed,
    key: Option<&'static str>,
) -> Result<(), ReasonCode> {
    let key = key.map(|key| key.parse().unwrap());
    let (tenant, body) = (TenantId::default(), handed.body());
    let call = Call { tenant: &tenant, body: &body, key: key.as_ref(), wait: NO_WAIT };
    reason(&facilitator.settle(call).await.unwrap()).map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_is_settled() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).settled();
    bench.finalize(&[&handed]).await;
    let calls: Vec<_> = (0..100)
        .map(|_| tokio::spawn(settle(bench.facilitator.clone(), handed.clone(), None)))
        .collect();
    let mut settled = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(()) => settled += 1,
            Err(code) => assert_eq!(code, ReasonCode::DuplicateSettlement),
        }
    }
    assert_eq!(settled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_repeats_its_settlement_for_the_same_body_alone() {
    let bench = Bench::new().await;
    let (handed, other) = (Handed::by(1), Handed::by(2));
    bench.finalize(&[&handed, &other]).await;
    let ask = |handed: &Handed, key| settle(bench.facilitator.clone(), handed.clone(), key);
    assert_eq!(ask(&handed, Some("key")).await, Ok(()));
    assert_eq!(ask(&handed, Some("key")).await, Ok(()));
    assert_eq!(ask(&other, Some("key")).await, Err(ReasonCode::IdempotencyKeyReused));
    assert_eq!(ask(&handed, None).await, Err(ReasonCode::DuplicateSettlement));
    assert_eq!(ask(&other, None).await, Ok(()));
}
