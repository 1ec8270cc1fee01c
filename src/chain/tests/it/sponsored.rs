//! Sponsored payments from the SDK's form to their blocks: decoded, decided on, signed by both,
//! sent, and compared with what came of them.

mod kit;
mod tampering;

use ccd402_app::ports::chain::{Chain, TransactionStatus};
use ccd402_chain::submit::Submitted;
use ccd402_domain::{
    account::AccountAddress,
    sponsored::{preflight::Hold, settled},
    transaction::{FinalizedTransaction, Outcome},
};
use ccd402_protocol::code::ReasonCode;
use ccd402_simchain::IdentitySpec;
use kit::{Order, Stage};

async fn finalized(stage: &Stage, submitted: Submitted) -> FinalizedTransaction {
    let Submitted::Taken(hash) = submitted else { panic!("{submitted:?}") };
    stage.chain.bake().unwrap();
    match stage.port.transaction(hash).await.unwrap() {
        TransactionStatus::Finalized(transaction) => *transaction,
        other => panic!("not final: {other:?}"),
    }
}

#[tokio::test]
async fn a_payment_in_the_sdks_form_is_sponsored_and_finalizes() {
    let several = IdentitySpec { keys: 3, threshold: 2, ..IdentitySpec::default() };
    for person in [IdentitySpec::default(), several] {
        let stage = Stage::of(person).await;
        for (asset, memo) in [("CCD", false), ("CCD", true), ("EURR", false), ("eurr", true)] {
            let order = stage.order(asset, memo);
            let before = stage.balances(&order).await;
            let signed = stage.signed(&order).await;
            let payment = stage.decide(&order, &signed).await.unwrap();
            stage.preflight(&payment, &[]).await.unwrap();
            let finished = stage.sponsored(&signed).await;
            let transaction =
                finalized(&stage, stage.port.send(&finished.bytes).await.unwrap()).await;
            assert_eq!(transaction.hash, finished.hash);
            assert_eq!(settled::check(&payment, &transaction), Ok(()), "{asset}");
            let fee = transaction.sponsorship.as_ref().unwrap().fee;
            assert_eq!(fee, stage.port.fee(payment.energy).await.unwrap(), "{asset}");
            let Outcome::Transfer(transfer) = &transaction.outcome else {
                panic!("{transaction:?}")
            };
            assert_eq!(transfer.memo.is_some(), memo);
            let after = stage.balances(&order).await;
            assert_eq!(after.payer, before.payer - order.units, "{asset}: nothing but the amount");
            assert_eq!(after.payee, before.payee + order.units, "{asset}");
            assert_eq!(after.sponsor, before.sponsor - fee.units(), "{asset}: the fee and no more");
        }
    }
}

#[tokio::test]
async fn the_same_bytes_may_be_sent_again_before_and_after_they_are_final() {
    let stage = Stage::new().await;
    let signed = stage.signed(&stage.order("CCD", false)).await;
    let finished = stage.sponsored(&signed).await;
    let taken = Submitted::Taken(finished.hash);
    for _ in 0..2 {
        assert_eq!(stage.port.send(&finished.bytes).await.unwrap(), taken);
    }
    stage.chain.bake().unwrap();
    assert_eq!(stage.port.send(&finished.bytes).await.unwrap(), taken);
    assert!(stage.port.send(&finished.bytes[1..]).await.is_err(), "no transaction");
}

#[tokio::test]
async fn several_payments_of_one_payer_fly_in_the_order_of_their_numbers() {
    let stage = Stage::new().await;
    let mut holds = Vec::new();
    let mut finished = Vec::new();
    for number in 0..3 {
        let order = Order { ahead: number, ..stage.order("CCD", false) };
        let signed = stage.signed(&order).await;
        let payment = stage.decide(&order, &signed).await.unwrap();
        stage.preflight(&payment, &holds).await.unwrap();
        finished.push(stage.sponsored(&signed).await);
        holds.push(Hold {
            sequence_number: payment.sequence_number,
            asset: payment.asset.clone(),
            amount: payment.amount,
        });
        let again = stage.preflight(&payment, &holds).await.unwrap_err();
        assert_eq!(again.code, ReasonCode::PreflightNonceMismatch);
    }
    for finished in &finished {
        let submitted = stage.port.send(&finished.bytes).await.unwrap();
        assert_eq!(submitted, Submitted::Taken(finished.hash));
    }
    stage.chain.bake().unwrap();
    for finished in &finished {
        let status = stage.port.transaction(finished.hash).await.unwrap();
        assert!(matches!(status, TransactionStatus::Finalized(_)), "{status:?}");
    }
    // What is final counts no more as held, and the next number is the chain's.
    let order = stage.order("CCD", false);
    let payment = stage.decide(&order, &stage.signed(&order).await).await.unwrap();
    assert_eq!(stage.preflight(&payment, &holds).await, Ok(()));
}

#[tokio::test]
async fn preflight_finds_what_the_chain_would_reject() {
    let stage = Stage::new().await;
    let order = |asset| stage.order(asset, false);
    // 100 CCD and 50 EURR; the recipient of the last is nobody.
    let rows = [
        (Order { units: 100_000_001, ..order("CCD") }, ReasonCode::PreflightInsufficientFunds),
        (Order { units: 50_000_001, ..order("EURR") }, ReasonCode::PreflightInsufficientTokenFunds),
        (Order { decimals: 2, ..order("EURR") }, ReasonCode::AmountMismatch),
        (order("DKKR"), ReasonCode::AmountMismatch),
        (order("NONE"), ReasonCode::InvalidPaymentRequirements),
        (Order { ahead: 1, ..order("CCD") }, ReasonCode::PreflightNonceMismatch),
        (
            Order { to: AccountAddress::from_bytes([9; 32]), ..order("CCD") },
            ReasonCode::InvalidPaymentRequirements,
        ),
    ];
    for (order, expected) in rows {
        let signed = stage.signed(&order).await;
        let payment = stage.decide(&order, &signed).await.unwrap();
        let refused = stage.preflight(&payment, &[]).await.unwrap_err();
        assert_eq!(refused.code, expected, "{order:?}: {refused}");
    }
}

#[tokio::test]
async fn a_rejected_transfer_costs_the_sponsor_and_has_not_paid() {
    let stage = Stage::new().await;
    for asset in ["CCD", "EURR"] {
        let order = Order { units: 900_000_000, ..stage.order(asset, false) };
        let signed = stage.signed(&order).await;
        let payment = stage.decide(&order, &signed).await.unwrap();
        let finished = stage.sponsored(&signed).await;
        let transaction = finalized(&stage, stage.port.send(&finished.bytes).await.unwrap()).await;
        let refused = settled::check(&payment, &transaction).unwrap_err();
        assert_eq!(refused.code, ReasonCode::TransactionFailedOnChain, "{asset}");
        assert!(transaction.sponsorship.is_some_and(|paid| paid.fee.units() > 0));
    }
}

#[tokio::test]
async fn accounts_and_tokens_are_told_as_they_are() {
    let stage = Stage::new().await;
    let account = stage.port.account(&stage.payer()).await.unwrap().unwrap();
    assert_eq!(account.address, stage.payer());
    assert_eq!(account.state.next_sequence_number, 1);
    assert_eq!(account.state.available.units(), 100_000_000);
    for (asset, units) in [("CCD", 100_000_000), ("eurr", 50_000_000), ("DKKR", 0)] {
        assert_eq!(account.state.balance(&asset.parse().unwrap()).units(), units, "{asset}");
    }
    let nobody = AccountAddress::from_bytes([9; 32]);
    assert!(stage.port.account(&nobody).await.unwrap().is_none());
    let token = stage.port.token("eurr").await.unwrap().unwrap();
    assert_eq!((token.id, token.decimals), ("EURR".parse().unwrap(), 6));
    assert!(!token.is_paused && !token.has_allow_list && !token.has_deny_list);
    for id in ["NONE", "no id"] {
        assert_eq!(stage.port.token(id).await.unwrap(), None, "{id}");
    }
    assert!(stage.sponsor.signs_for(&stage.sponsor_account().await));
    assert!(!stage.sponsor.signs_for(&account));
}

#[tokio::test]
async fn an_alias_of_an_account_is_that_account() {
    let stage = Stage::new().await;
    let mut bytes = *stage.payer().as_bytes();
    bytes[31] ^= 1;
    let alias = stage.port.account(&AccountAddress::from_bytes(bytes)).await.unwrap().unwrap();
    assert_eq!(alias.address, stage.payer());
}
