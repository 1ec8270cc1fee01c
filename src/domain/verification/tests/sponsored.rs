//! A payment that we send: it is signed once, and its fate is the chain's.

use super::*;
use crate::sponsored::holds::{HeldPayment, Holds};
use crate::sponsored::sample;
use crate::transaction::{FinalizedTransaction, Sponsorship, Transfer};

/// A sponsored payment that is held since 0 s, and expires at 55 s.
pub(super) fn sponsored() -> Payment {
    sample::payment().into_payment(crate::sample::hash(), units(635), at(0))
}

fn sign() -> Command {
    Command::Sign { block_item: "ab".to_owned() }
}

/// The payment among those on their way.
pub(super) fn holds_changed() -> Event {
    let payment = sponsored();
    let held = HeldPayment::signed(id(), &payment).unwrap();
    Holds::default().with(held).event(payment.network, payment.payer).into()
}

pub(super) fn signed(payment: &Payment) -> Event {
    TransactionSigned {
        transaction: payment.transaction,
        block_item: "ab".to_owned(),
        tenant: TenantId::default(),
        fee_max: units(635),
    }
    .into()
}

fn state(history: &[Event]) -> Verification {
    Verification::fold(history).unwrap().unwrap()
}

/// The chain carried it out as it was signed.
fn paid(payment: &Payment) -> FinalizedTransaction {
    let transfer = Transfer {
        to: payment.pay_to,
        asset: payment.asset.clone(),
        amount: payment.amount,
        memo: None,
    };
    let sponsorship = Sponsorship { sponsor: sample::fee_payer(), fee: units(635) };
    FinalizedTransaction {
        hash: payment.transaction,
        block: block(),
        sender: Some(payment.payer),
        sponsorship: Some(Box::new(sponsorship)),
        outcome: crate::transaction::Outcome::Transfer(transfer),
    }
}

#[test]
fn it_is_signed_once() {
    let payment = sponsored();
    let held = state(&[requested(&payment)]);
    assert_eq!(held.block_item, None);
    assert_eq!(decide(Some(&held), sign()), Ok(vec![signed(&payment)]));
    let sent = state(&[requested(&payment), signed(&payment)]);
    assert_eq!(sent.block_item.as_deref(), Some("ab"));
    let again = Command::Sign { block_item: "cd".to_owned() };
    assert_eq!(decide(Some(&sent), again), Ok(Vec::new()), "the bytes are never others");
    assert!(evolve(Some(sent), &signed(&payment)).is_err());
}

#[test]
fn what_the_payer_sends_is_not_signed_here() {
    let payment = payment(Needs::Nothing, ConsumeOn::Settle);
    let pending = state(&[requested(&payment)]);
    let refused = decide(Some(&pending), sign()).unwrap_err();
    assert_eq!(refused.code, ReasonCode::UnsupportedScheme);
    assert!(evolve(Some(pending), &signed(&payment)).is_err());
}

#[test]
fn what_has_failed_is_not_signed_and_what_is_paid_not_again() {
    let payment = sponsored();
    let rejection = Rejection::of(ReasonCode::TransactionExpired);
    let lost = state(&[requested(&payment), failed(&payment, rejection.clone())]);
    assert_eq!(decide(Some(&lost), sign()), Err(rejection));
    let done = state(&[requested(&payment), signed(&payment), confirmed(&payment)]);
    assert_eq!(decide(Some(&done), sign()), Ok(Vec::new()));
}

#[test]
fn the_block_decides() {
    use ReasonCode as R;
    let payment = sponsored();
    let sent = state(&[requested(&payment), signed(&payment)]);
    let record = |transaction| decide(Some(&sent), Command::RecordTransaction(transaction));
    assert_eq!(record(paid(&payment)), Ok(vec![confirmed(&payment)]));
    let mut rejected = paid(&payment);
    rejected.outcome = crate::transaction::Outcome::Rejected { reason: "AmountTooLarge".into() };
    let mut unsponsored = paid(&payment);
    unsponsored.sponsorship = None;
    for (transaction, code) in
        [(rejected, R::TransactionFailedOnChain), (unsponsored, R::SponsorMismatch)]
    {
        match &record(transaction).unwrap()[..] {
            [Event::VerificationFailed(failed)] => assert_eq!(failed.rejection.code, code),
            other => panic!("{other:?}"),
        }
    }
    match &decide(Some(&sent), Command::Expire).unwrap()[..] {
        [Event::VerificationFailed(failed)] => {
            assert_eq!(failed.rejection.code, R::TransactionExpired);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_sent_for_another_verification_does_not_confirm_this_one() {
    let payment = sponsored();
    let held = state(&[requested(&payment)]);
    match &decide(Some(&held), Command::RecordTransaction(paid(&payment))).unwrap()[..] {
        [Event::VerificationFailed(failed)] => {
            assert_eq!(failed.rejection.code, ReasonCode::PaymentAlreadyUsed);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_pays_for_one_thing() {
    let payment = sponsored();
    let held = state(&[requested(&payment)]);
    let again = Command::Request(Box::new(request(&payment)));
    assert_eq!(decide(Some(&held), again), Ok(Vec::new()));
    let mut other = payment;
    other.resource.url.push('s');
    let refused = decide(Some(&held), Command::Request(Box::new(request(&other)))).unwrap_err();
    assert_eq!(refused.code, ReasonCode::PaymentAlreadyUsed);
}

#[test]
fn it_is_used_once_by_settling() {
    let payment = sponsored();
    let settle = || Command::Consume(Consumer::Settle);
    let sent = state(&[requested(&payment), signed(&payment)]);
    assert_eq!(decide(Some(&sent), settle()).unwrap_err().code, ReasonCode::TransactionPending);
    let mut history = vec![requested(&payment), signed(&payment), confirmed(&payment)];
    let done = state(&history);
    assert_eq!(decide(Some(&done), settle()), Ok(vec![consumed(Consumer::Settle)]));
    history.push(consumed(Consumer::Settle));
    let used = decide(Some(&state(&history)), settle()).unwrap_err();
    assert_eq!(used.code, ReasonCode::DuplicateSettlement);
}
