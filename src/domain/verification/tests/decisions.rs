//! From handed in to decided: every command while pending and after.

use ccd402_protocol::code::ReasonCode;

use super::*;

#[test]
fn a_payment_is_taken_in_once() {
    let payment = payment(Needs::Nothing, ConsumeOn::Verify);
    let command = || Command::Request(Box::new(request(&payment)));
    assert_eq!(given(&[]).when(command()), Ok(vec![requested(&payment)]));
    assert_eq!(given(&[requested(&payment)]).when(command()), Ok(vec![]));
    let other = Payment { amount: units(1), ..payment.clone() };
    let another = Command::Request(Box::new(request(&other)));
    let refused = given(&[requested(&payment)]).when(another);
    assert_eq!(refused, Err(ReasonCode::IdempotencyKeyReused));
}

#[test]
fn what_does_not_exist_refuses_every_other_command() {
    for (name, command) in commands(&payment(Needs::Both, ConsumeOn::Verify)) {
        assert_eq!(given(&[]).when(command), Err(ReasonCode::VerificationNotFound), "{name}");
    }
}

#[test]
fn a_pending_verification_follows_its_findings() {
    for needs in ALL_NEEDS {
        let payment = payment(needs, ConsumeOn::Verify);
        for (name, command) in commands(&payment) {
            let expected = match (name, needs) {
                ("identity", Needs::Presentation | Needs::Both) => Ok(vec![identity_verified()]),
                ("binding", Needs::Signature | Needs::Both) => Ok(vec![binding_verified(&payment)]),
                ("identity" | "binding", _) => Ok(vec![]),
                ("reject", _) => {
                    Ok(vec![failed(&payment, Rejection::of(ReasonCode::IdentityProofInvalid))])
                }
                ("transaction", Needs::Nothing) => Ok(vec![confirmed(&payment)]),
                ("transaction", _) => Ok(vec![transferred(&payment)]),
                ("lose", _) => {
                    Ok(vec![failed(&payment, Rejection::of(ReasonCode::PaymentAlreadyUsed))])
                }
                ("expire", _) => {
                    Ok(vec![failed(&payment, Rejection::of(ReasonCode::TransactionNotFound))])
                }
                ("release", _) => Err(ReasonCode::ReservationNotHeld),
                _ => Err(ReasonCode::TransactionPending),
            };
            assert_eq!(given(&[requested(&payment)]).when(command), expected, "{needs:?} {name}");
        }
    }
}

#[test]
fn a_decided_verification_changes_no_more() {
    let payment = payment(Needs::Nothing, ConsumeOn::Verify);
    let refusal = Rejection::of(ReasonCode::AmountMismatch);
    let findings = ["identity", "binding", "reject", "transaction", "lose", "expire"];
    for outcome in [confirmed(&payment), failed(&payment, refusal)] {
        for (name, command) in commands(&payment) {
            if findings.contains(&name) {
                let then = given(&[requested(&payment), outcome.clone()]).when(command);
                assert_eq!(then, Ok(vec![]), "{name} after {}", outcome.name());
            }
        }
    }
}

#[test]
fn a_failed_payment_is_refused_for_its_own_reason() {
    let payment = payment(Needs::Nothing, ConsumeOn::Settle);
    let history =
        [requested(&payment), failed(&payment, Rejection::of(ReasonCode::AmountMismatch))];
    for command in
        [reserve(1, 100), Command::Consume(Consumer::Verify), Command::Consume(Consumer::Settle)]
    {
        assert_eq!(given(&history).when(command), Err(ReasonCode::AmountMismatch));
    }
}

#[test]
fn the_last_finding_confirms_whatever_the_order() {
    let payment = payment(Needs::Both, ConsumeOn::Verify);
    let findings = [
        (Command::RecordIdentity(proven()), identity_verified()),
        (Command::RecordBinding, binding_verified(&payment)),
        (Command::RecordTransaction(transaction(&payment)), transferred(&payment)),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut history = vec![requested(&payment)];
        for (step, finding) in order.into_iter().enumerate() {
            let (command, event) = findings[finding].clone();
            let expected = match (step, finding) {
                (2, 2) => vec![confirmed(&payment)],
                (2, _) => vec![event, confirmed(&payment)],
                _ => vec![event],
            };
            assert_eq!(given(&history).when(command), Ok(expected.clone()), "{order:?}");
            history.extend(expected);
        }
    }
}

#[test]
fn a_finding_twice_changes_nothing() {
    let payment = payment(Needs::Both, ConsumeOn::Verify);
    let history = [requested(&payment), transferred(&payment), identity_verified()];
    for command in [
        Command::RecordIdentity(proven()),
        Command::RecordTransaction(transaction(&payment)),
        // The transfer is there: what is waited for are the proofs.
        Command::Expire,
    ] {
        assert_eq!(given(&history).when(command), Ok(vec![]));
    }
}

#[test]
fn a_wrong_transfer_fails_at_once_though_proofs_are_open() {
    let payment = payment(Needs::Both, ConsumeOn::Verify);
    let wrong = transaction_with(&payment, |paid| paid.amount = units(1));
    let then = given(&[requested(&payment)]).when(Command::RecordTransaction(wrong)).unwrap();
    let [Event::VerificationFailed(failed)] = then.as_slice() else { panic!("{then:?}") };
    assert_eq!(failed.rejection.code, ReasonCode::AmountMismatch);
}

#[test]
fn another_transaction_is_nobodys_business() {
    let payment = payment(Needs::Nothing, ConsumeOn::Verify);
    let mut other = transaction(&payment);
    other.hash = TransactionHash::from_bytes([0; 32]);
    let then = given(&[requested(&payment)]).when(Command::RecordTransaction(other));
    assert_eq!(then, Ok(vec![]));
}
