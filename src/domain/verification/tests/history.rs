//! Streams: those that no decision makes are broken, those that decisions make never are.

use proptest::prelude::*;

use ccd402_protocol::code::ReasonCode;

use super::sponsored::{holds_changed, signed, sponsored};
use super::*;

#[test]
fn history_that_no_decision_makes_is_broken() {
    let payment = payment(Needs::Both, ConsumeOn::Verify);
    let begin = requested(&payment);
    let done =
        [begin.clone(), identity_verified(), binding_verified(&payment), confirmed(&payment)];
    let foreign: Event = VerificationConfirmed {
        verification: VerificationId(Uuid::from_u128(7)),
        network: payment.network.clone(),
        transaction: payment.transaction,
        block: block(),
    }
    .into();
    let after = |event: &Event| [done.as_slice(), std::slice::from_ref(event)].concat();
    let rows = [
        ("no beginning", vec![identity_verified()]),
        ("two beginnings", vec![begin.clone(), begin.clone()]),
        ("confirmed without proofs", vec![begin.clone(), confirmed(&payment)]),
        ("proven twice", vec![begin.clone(), identity_verified(), identity_verified()]),
        ("transferred twice", vec![begin.clone(), transferred(&payment), transferred(&payment)]),
        ("used while pending", vec![begin.clone(), consumed(Consumer::Settle)]),
        ("held while pending", vec![begin, reserved(1, 160)]),
        ("another's confirmation", [&done[..3], std::slice::from_ref(&foreign)].concat()),
        ("confirmed twice", after(&confirmed(&payment))),
        ("failed after all", after(&failed(&payment, Rejection::of(ReasonCode::InternalError)))),
        ("released by nobody", after(&released(1))),
        ("a hold released by another", { [after(&reserved(1, 160)), vec![released(2)]].concat() }),
        ("verified twice", {
            [after(&consumed(Consumer::Verify)), vec![consumed(Consumer::Verify)]].concat()
        }),
        ("settled twice", {
            [after(&consumed(Consumer::Settle)), vec![consumed(Consumer::Settle)]].concat()
        }),
        ("a block", after(&followed())),
    ];
    for (name, history) in rows {
        let broken = Verification::fold(&history).unwrap_err();
        assert_eq!(broken.version, history.len() as u64, "{name}");
    }
}

fn followed() -> Event {
    BlockFollowed { network: sample::NETWORK.parse().unwrap(), block: block() }.into()
}

#[test]
fn every_event_reads_back_from_its_json() {
    let payment = payment(Needs::Both, ConsumeOn::Settle);
    let answer = AnswerRecorded {
        verification: id(),
        body: Digest::from_bytes([1; 32]),
        rejection: Some(Rejection::of(ReasonCode::AmountMismatch)),
        reservation: Some(reservation(4)),
    };
    let events = [
        requested(&payment),
        identity_verified(),
        binding_verified(&payment),
        signed(&sponsored()),
        holds_changed(),
        transferred(&payment),
        confirmed(&payment),
        failed(&payment, Rejection::of(ReasonCode::AmountMismatch)),
        reserved(1, 160),
        released(1),
        consumed(Consumer::Verify),
        followed(),
        answer.into(),
    ];
    let events = events.into_iter().chain(crate::webhook::tests::examples());
    let events: Vec<Event> = events.chain(crate::key::tests::examples()).collect();
    let operated = crate::operator::examples().into_iter().take(1);
    let events: Vec<Event> = events.into_iter().chain(operated).collect();
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, Event::NAMES, "every type has its example");
    for event in events {
        assert_eq!(again(&event), event);
    }
}

#[test]
fn unknown_types_and_other_data_are_errors() {
    assert!(Event::from_json("PaymentRefunded", &json!({})).is_err());
    assert!(Event::from_json("PaymentConsumed", &json!({ "by": "nobody" })).is_err());
    assert!(Event::from_json("PaymentConsumed", &json!({})).is_err());
    assert!(Event::read_json("PaymentRefunded", "{}").is_err());
    for data in [r#"{"by":"nobody"}"#, "{}", "", r#"{"by":"verify"} x"#] {
        assert!(Event::read_json("PaymentConsumed", data).is_err(), "{data}");
    }
}

/// Through text and back, as a log keeps it.
fn again(event: &Event) -> Event {
    let text = String::from_utf8(event.to_json().unwrap()).unwrap();
    let read = Event::read_json(event.name(), &text).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    assert_eq!(Event::from_json(event.name(), &value).unwrap(), read);
    read
}

fn any_command(payment: &Payment) -> impl Strategy<Value = Command> + use<> {
    let wrong = transaction_with(payment, |paid| paid.amount = units(1));
    let other = {
        let mut other = transaction(payment);
        other.hash = TransactionHash::from_bytes([0; 32]);
        other
    };
    prop_oneof![
        1 => Just(Command::Request(Box::new(request(payment)))),
        3 => Just(Command::RecordIdentity(proven())),
        3 => Just(Command::RecordBinding),
        1 => Just(Command::Reject(Rejection::of(ReasonCode::IdentityProofInvalid))),
        4 => Just(Command::RecordTransaction(transaction(payment))),
        1 => Just(Command::RecordTransaction(wrong)),
        1 => Just(Command::RecordTransaction(other)),
        1 => Just(Command::LoseClaim),
        1 => Just(Command::Expire),
        1 => Just(Command::Sign { block_item: "ab".to_owned() }),
        4 => (1..4_u128, 0..400_i64).prop_map(|(number, now)| reserve(number, now)),
        3 => (1..4_u128).prop_map(release),
        3 => Just(Command::Consume(Consumer::Verify)),
        2 => Just(Command::Consume(Consumer::Settle)),
    ]
}

fn any_life() -> impl Strategy<Value = (Payment, Vec<Command>)> {
    let consume_on = prop_oneof![Just(ConsumeOn::Verify), Just(ConsumeOn::Settle)];
    let by_hash = (prop::sample::select(&ALL_NEEDS[..]), consume_on)
        .prop_map(|(needs, consume_on)| payment(needs, consume_on));
    prop_oneof![4 => by_hash, 1 => Just(sponsored())].prop_flat_map(|payment| {
        let commands = proptest::collection::vec(any_command(&payment), 0..40);
        (Just(payment), commands)
    })
}

/// Decides one command after the other, as use cases do.
fn live(commands: Vec<Command>) -> (Vec<Event>, Option<Verification>) {
    let mut history = Vec::new();
    let mut state = None;
    for command in commands {
        for event in decide(state.as_ref(), command).unwrap_or_default() {
            state = Some(evolve(state, &event).expect("what was decided can be evolved"));
            history.push(event);
        }
    }
    (history, state)
}

proptest! {
    #[test]
    fn no_life_breaks_history_and_replaying_is_living((payment, commands) in any_life()) {
        let begun = std::iter::once(Command::Request(Box::new(request(&payment))));
        let (history, lived) = live(begun.chain(commands).collect());
        let stored: Vec<Event> = history.iter().map(again).collect();
        prop_assert_eq!(Verification::fold(&stored).unwrap(), lived.clone());
        prop_assert_eq!(lived.map(|state| state.version), Some(history.len() as u64));
        prop_assert_eq!(stored, history);
    }

    #[test]
    fn a_payment_is_confirmed_once_and_used_as_its_offer_says((payment, commands) in any_life()) {
        let consume_on = payment.consume_on;
        let begun = std::iter::once(Command::Request(Box::new(request(&payment))));
        let (history, state) = live(begun.chain(commands).collect());
        let count = |wanted: &Event| history.iter().filter(|event| *event == wanted).count();
        let is_failed = history.iter().any(|event| matches!(event, Event::VerificationFailed(_)));
        let is_confirmed = count(&confirmed(&payment));
        let (verified, settled) =
            (count(&consumed(Consumer::Verify)), count(&consumed(Consumer::Settle)));
        prop_assert!(is_confirmed + usize::from(is_failed) <= 1);
        prop_assert!(verified <= is_confirmed && settled <= is_confirmed);
        prop_assert!(consume_on == ConsumeOn::Verify || verified == 0);
        let outcome = state.map(|state| state.outcome);
        let confirmed = matches!(outcome, Some(Outcome::Confirmed { .. }));
        prop_assert_eq!(confirmed, is_confirmed == 1);
    }
}
