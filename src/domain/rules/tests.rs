//! A row a reason, in the order in which the rules apply.

use super::*;
use crate::amount::Amount;
use crate::asset::Asset;
use crate::ids::Digest;
use crate::sample::{
    Request, account, at, hash, token, transaction, transaction_with, transfer, units,
};
use crate::transaction::BlockRef;
use serde_json::json;

fn made_at(payment: &Payment, seconds: i64) -> FinalizedTransaction {
    let paid = transaction(payment);
    FinalizedTransaction { block: BlockRef { time: at(seconds), ..paid.block }, ..paid }
}

fn code(payment: &Payment, transaction: &FinalizedTransaction) -> Option<ReasonCode> {
    check(payment, transaction).err().map(|rejection| rejection.code)
}

#[test]
fn the_right_transfer_is_the_payment() {
    for request in [Request::v1(), Request::v2()] {
        let payment = request.payment();
        assert_eq!(check(&payment, &transaction(&payment)), Ok(()));
    }
}

#[test]
fn each_rule_names_its_refusal() {
    let payment = Request::v2().payment();
    let euros = Request::v2().offer("/asset", json!("EURR")).payment();
    let sent_by = |sender| FinalizedTransaction { sender, ..transaction(&payment) };
    let with_outcome = |outcome| FinalizedTransaction { outcome, ..transaction(&payment) };
    let other_digest = Digest::from_bytes([0; 32]);
    let rows = [
        (
            "rejected on chain",
            &payment,
            with_outcome(Outcome::Rejected { reason: "AmountTooLarge".into() }),
            ReasonCode::TransactionFailedOnChain,
        ),
        (
            "no transfer",
            &payment,
            with_outcome(Outcome::NotATransfer),
            ReasonCode::TransactionNotATransfer,
        ),
        ("another sender", &payment, sent_by(Some(account(3))), ReasonCode::PaymentNotBound),
        ("no sender", &payment, sent_by(None), ReasonCode::PaymentNotBound),
        (
            "no memo",
            &payment,
            transaction_with(&payment, |paid| paid.memo = None),
            ReasonCode::PaymentNotBound,
        ),
        (
            "another memo",
            &payment,
            transaction_with(&payment, |paid| paid.memo = Some(memo::encode(&other_digest))),
            ReasonCode::PaymentNotBound,
        ),
        (
            "the digest without its CBOR head",
            &payment,
            transaction_with(&payment, |paid| {
                paid.memo = Some(payment.digest.as_bytes().to_vec());
            }),
            ReasonCode::PaymentNotBound,
        ),
        (
            "a token for CCD",
            &payment,
            transaction_with(&payment, |paid| paid.asset = token("EURR")),
            ReasonCode::AssetTypeMismatch,
        ),
        (
            "CCD for a token",
            &euros,
            transaction_with(&euros, |paid| paid.asset = Asset::Ccd),
            ReasonCode::AssetTypeMismatch,
        ),
        (
            "another token",
            &euros,
            transaction_with(&euros, |paid| paid.asset = token("USDR")),
            ReasonCode::TokenIdMismatch,
        ),
        (
            "another recipient",
            &payment,
            transaction_with(&payment, |paid| paid.to = account(3)),
            ReasonCode::RecipientMismatch,
        ),
        (
            "one unit less",
            &payment,
            transaction_with(&payment, |paid| paid.amount = units(1_499_999)),
            ReasonCode::AmountMismatch,
        ),
        (
            "one unit more",
            &payment,
            transaction_with(&payment, |paid| paid.amount = units(1_500_001)),
            ReasonCode::AmountMismatch,
        ),
        ("too early", &payment, made_at(&payment, -11), ReasonCode::TransferOutsideChallenge),
        ("too late", &payment, made_at(&payment, 301), ReasonCode::TransferOutsideChallenge),
    ];
    for (name, payment, transaction, expected) in rows {
        assert_eq!(code(payment, &transaction), Some(expected), "{name}");
    }
}

#[test]
fn the_first_rule_that_fails_is_the_reason() {
    let payment = Request::v2().payment();
    let mut wrong = made_at(&payment, 999);
    wrong.sender = None;
    wrong.outcome = Outcome::Transfer(Transfer {
        to: account(9),
        asset: token("EURR"),
        amount: Amount::from_units(1),
        memo: None,
    });
    let mut order = Vec::new();
    let repairs: [fn(&mut FinalizedTransaction, &mut Transfer, &Payment); 6] = [
        |transaction, _, payment| transaction.sender = Some(payment.payer),
        |_, paid, payment| paid.memo = Some(memo::encode(&payment.digest)),
        |_, paid, payment| paid.asset = payment.asset.clone(),
        |_, paid, payment| paid.to = payment.pay_to,
        |_, paid, payment| paid.amount = payment.amount,
        |transaction, _, _| transaction.block.time = at(1),
    ];
    for repair in repairs {
        order.extend(code(&payment, &wrong));
        let Outcome::Transfer(mut paid) = wrong.outcome.clone() else { unreachable!() };
        repair(&mut wrong, &mut paid, &payment);
        wrong.outcome = Outcome::Transfer(paid);
    }
    assert_eq!(
        order,
        [
            ReasonCode::PaymentNotBound,
            ReasonCode::PaymentNotBound,
            ReasonCode::AssetTypeMismatch,
            ReasonCode::RecipientMismatch,
            ReasonCode::AmountMismatch,
            ReasonCode::TransferOutsideChallenge,
        ]
    );
    assert_eq!(check(&payment, &wrong), Ok(()));
}

#[test]
fn the_window_is_open_from_the_skew_before_to_its_very_end() {
    let payment = Request::v2().payment();
    assert_eq!(code(&payment, &made_at(&payment, -10)), None);
    assert_eq!(code(&payment, &made_at(&payment, 300)), None);
}

#[test]
fn aliases_of_payer_and_recipient_are_the_same_accounts() {
    let payment = Request::v2().payment();
    let alias = |address: crate::account::AccountAddress| {
        let mut bytes = *address.as_bytes();
        bytes[29..].fill(0xff);
        crate::account::AccountAddress::from_bytes(bytes)
    };
    let mut paid = transaction_with(&payment, |paid| paid.to = alias(paid.to));
    paid.sender = Some(alias(payment.payer));
    assert_eq!(check(&payment, &paid), Ok(()));
}

#[test]
fn a_payment_bound_by_proofs_needs_no_memo() {
    let signed = Request::v2()
        .paid("/binding", json!({ "type": "signature", "signatures": { "0": { "0": "ab" } } }))
        .payment();
    let paid = transaction_with(&signed, |paid| paid.memo = None);
    assert_eq!(check(&signed, &paid), Ok(()));
    assert_eq!(signed.transaction, hash());
    assert_eq!(transfer(&signed).to, signed.pay_to);
}
