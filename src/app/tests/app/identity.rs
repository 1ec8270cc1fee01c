//! Proofs: checked once, before or after the transfer, and final when they are refused.

use ccd402_app::contract::payments::{Handed, account};
use ccd402_app::ports::log::{EventLog as _, StreamId};
use ccd402_domain::rejection::Rejection;
use ccd402_protocol::code::ReasonCode;

use crate::support::{Bench, NO_WAIT, WAIT, is_valid, reason, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_is_checked_once_for_all_who_ask() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).proven();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (facilitator, handed) = (bench.facilitator.clone(), handed.clone());
            tokio::spawn(async move { verify(&facilitator, &handed, None, WAIT).await })
        })
        .collect();
    bench.until_waiting(1).await;
    bench.finalize(&[&handed]).await;
    let mut valid = 0;
    for call in calls {
        valid += usize::from(is_valid(&call.await.unwrap().unwrap()));
    }
    assert_eq!((valid, bench.chain.presentations().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn transfer_and_proof_confirm_in_either_order() {
    for is_proof_first in [true, false] {
        let bench = Bench::new().await;
        let handed = Handed::by(1).proven();
        let id = bench.submit(&handed).await;
        if is_proof_first {
            bench.facilitator.resolve(id).await.unwrap();
            assert_eq!(bench.outcome(id).await, None);
            bench.finalize(&[&handed]).await;
        } else {
            bench.finalize(&[&handed]).await;
            assert_eq!(bench.outcome(id).await, None);
            bench.facilitator.resolve(id).await.unwrap();
        }
        assert_eq!(bench.outcome(id).await, Some(Ok(())), "proof first: {is_proof_first}");
        bench.facilitator.resolve(id).await.unwrap();
        assert_eq!(bench.chain.presentations().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_checked_is_what_was_asked_for() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).proven();
    bench.verify(&handed, NO_WAIT).await;
    bench.finalize(&[&handed]).await;
    bench.verify(&handed, WAIT).await;
    let checks = bench.chain.presentations();
    let payment = handed.payment();
    assert_eq!(checks[0].presentation, r#"{"proof":"of identity"}"#);
    assert_eq!(checks[0].required, payment.identity);
    assert_eq!((checks[0].challenge, checks[0].payer), (payment.digest, account(1)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_proof_is_final_and_frees_the_transfer() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).proven();
    let refusal = Rejection::of(ReasonCode::IdentityProofInvalid);
    bench.chain.refuse_presentations(refusal);
    let answer = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&answer), Err(ReasonCode::IdentityProofInvalid));
    bench.finalize(&[&handed]).await;
    let answer = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&answer), Err(ReasonCode::IdentityProofInvalid));
    let stream = StreamId::verification(answer.subject.unwrap().verification);
    assert_eq!(bench.log.attachment(&stream).await.unwrap(), None, "proofs are not kept");
    let unproven = Handed::by(1).proven().with("presentation", serde_json::json!("another"));
    let id = bench.submit(&unproven).await;
    assert_eq!(bench.outcome(id).await, None, "nobody holds the claim");
}

#[tokio::test(start_paused = true)]
async fn a_signature_binds_only_once_it_was_checked() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).signed();
    let id = bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    assert_eq!(bench.outcome(id).await, None);
    bench.facilitator.resolve(id).await.unwrap();
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
    let checks = bench.chain.signatures();
    assert_eq!((checks[0].digest, checks[0].payer), (handed.payment().digest, account(1)));
    assert_eq!(checks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_signature_of_another_binds_nothing() {
    let bench = Bench::new().await;
    let handed = Handed::by(1).signed().proven();
    bench.chain.refuse_signatures(Rejection::of(ReasonCode::PaymentNotBound));
    bench.finalize(&[&handed]).await;
    let answer = bench.verify(&handed, WAIT).await;
    assert_eq!(reason(&answer), Err(ReasonCode::PaymentNotBound));
}
