//! Two tenants in one log: one payment is confirmed once, and neither sees the other's.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_app::submit::Submitted;
use ccd402_app::verify::Call;
use ccd402_domain::ids::{ReservationId, VerificationId};
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::verification::state::Outcome;
use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use crate::support::{Bench, FIRST, NEXT, NO_WAIT};

fn tenants() -> [TenantId; 3] {
    [TenantId::default(), "shop".parse().unwrap(), "other".parse().unwrap()]
}

async fn submit(bench: &Bench, tenant: &TenantId, handed: &Handed) -> VerificationId {
    let key: IdempotencyKey = "order-1".parse().unwrap();
    match bench.facilitator.submit(tenant, &handed.body(), Some(&key)).await.unwrap().unwrap() {
        Submitted::New(id) => id,
        Submitted::Repeated(state) => panic!("{tenant} hears of {state:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn of_tenants_with_one_payment_one_is_confirmed() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    let mut ids = Vec::new();
    for tenant in tenants() {
        ids.push(submit(&bench, &tenant, &handed).await);
    }
    bench.facilitator.follow(&block(NEXT, &[&handed]), Some(block_ref(FIRST))).await.unwrap();
    let mut confirmed = 0;
    for (id, tenant) in ids.into_iter().zip(tenants()) {
        let state = bench.state(id).await;
        assert_eq!(state.tenant, tenant);
        match state.outcome {
            Outcome::Confirmed { .. } => confirmed += 1,
            Outcome::Failed(why) => assert_eq!(why.code, ReasonCode::PaymentAlreadyUsed),
            Outcome::Pending { .. } => panic!("{id} is decided"),
        }
    }
    assert_eq!(confirmed, 1);
}

#[tokio::test(start_paused = true)]
async fn another_tenants_payment_is_handed_out_to_one() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.finalize(&[&handed]).await;
    let mut answers = Vec::new();
    for tenant in tenants() {
        let call = Call { tenant: &tenant, body: &handed.body(), key: None, wait: NO_WAIT };
        answers.push(bench.facilitator.verify(call).await.unwrap());
    }
    let ids: Vec<_> = answers.iter().map(|a| a.subject.as_ref().unwrap().verification).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    let codes: Vec<_> = answers.into_iter().map(|a| a.result.map_err(|why| why.code)).collect();
    let used = Err(ReasonCode::PaymentAlreadyUsed);
    assert_eq!(codes, [Ok(None), used, used]);
}

#[tokio::test(start_paused = true)]
async fn what_is_anothers_is_not_there() {
    let bench = Bench::new().await;
    let [_, shop, other] = tenants();
    let id = submit(&bench, &shop, &Handed::by(1)).await;
    let seen = async |reach| bench.facilitator.query(&reach, id, NO_WAIT).await.unwrap().is_some();
    assert!(seen(Reach::Tenant(shop.clone())).await && seen(Reach::All).await);
    assert!(!seen(Reach::Tenant(other.clone())).await);
    assert!(!seen(Reach::Tenant(TenantId::default())).await);
    let reservation = ReservationId(Uuid::nil());
    let released = async |tenant| {
        bench.facilitator.release(tenant, id, reservation).await.unwrap().unwrap_err().code
    };
    assert_eq!(released(&other).await, ReasonCode::VerificationNotFound);
    assert_eq!(released(&shop).await, ReasonCode::ReservationNotHeld);
}
