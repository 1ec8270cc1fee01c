//! Who may use a confirmed payment, and how often.

use ccd402_protocol::code::ReasonCode;

use super::*;

#[test]
fn a_payment_is_used_as_its_offer_says() {
    use Consumer::{Settle, Verify};
    use ReasonCode as R;
    let verify = || Command::Consume(Verify);
    let settle = || Command::Consume(Settle);
    type Row = (&'static str, ConsumeOn, Vec<Event>, Command, Result<Event, R>);
    let rows: Vec<Row> = vec![
        ("verify", ConsumeOn::Verify, vec![], verify(), Ok(consumed(Verify))),
        (
            "verify twice",
            ConsumeOn::Verify,
            vec![consumed(Verify)],
            verify(),
            Err(R::PaymentAlreadyUsed),
        ),
        (
            "settle after verify",
            ConsumeOn::Verify,
            vec![consumed(Verify)],
            settle(),
            Ok(consumed(Settle)),
        ),
        ("settle alone", ConsumeOn::Verify, vec![], settle(), Ok(consumed(Settle))),
        (
            "settle twice",
            ConsumeOn::Verify,
            vec![consumed(Settle)],
            settle(),
            Err(R::DuplicateSettlement),
        ),
        (
            "settle twice after verify",
            ConsumeOn::Verify,
            vec![consumed(Verify), consumed(Settle)],
            settle(),
            Err(R::DuplicateSettlement),
        ),
        (
            "verify after settle",
            ConsumeOn::Verify,
            vec![consumed(Settle)],
            verify(),
            Err(R::PaymentAlreadyUsed),
        ),
        (
            "reserve after verify",
            ConsumeOn::Verify,
            vec![consumed(Verify)],
            reserve(1, 100),
            Err(R::PaymentAlreadyUsed),
        ),
        (
            "verify never uses up what settle does",
            ConsumeOn::Settle,
            vec![],
            verify(),
            Err(R::PaymentAlreadyUsed),
        ),
        ("reserve", ConsumeOn::Settle, vec![], reserve(1, 100), Ok(reserved(1, 160))),
        (
            "reserve what is held",
            ConsumeOn::Settle,
            vec![reserved(1, 160)],
            reserve(2, 159),
            Err(R::PaymentAlreadyUsed),
        ),
        (
            "reserve what has lapsed",
            ConsumeOn::Settle,
            vec![reserved(1, 160)],
            reserve(2, 160),
            Ok(reserved(2, 220)),
        ),
        (
            "reserve what was released",
            ConsumeOn::Settle,
            vec![reserved(1, 160), released(1)],
            reserve(2, 101),
            Ok(reserved(2, 161)),
        ),
        (
            "reserve after settle",
            ConsumeOn::Settle,
            vec![reserved(1, 160), consumed(Settle)],
            reserve(2, 200),
            Err(R::PaymentAlreadyUsed),
        ),
        (
            "settle what is held",
            ConsumeOn::Settle,
            vec![reserved(1, 160)],
            settle(),
            Ok(consumed(Settle)),
        ),
        ("release", ConsumeOn::Settle, vec![reserved(1, 160)], release(1), Ok(released(1))),
        (
            "release another's",
            ConsumeOn::Settle,
            vec![reserved(1, 160)],
            release(2),
            Err(R::ReservationNotHeld),
        ),
        (
            "release what lapsed to another",
            ConsumeOn::Settle,
            vec![reserved(1, 160), reserved(2, 220)],
            release(1),
            Err(R::ReservationNotHeld),
        ),
        (
            "release after settle",
            ConsumeOn::Settle,
            vec![reserved(1, 160), consumed(Settle)],
            release(1),
            Err(R::ReservationNotHeld),
        ),
    ];
    for (name, consume_on, usage, command, expected) in rows {
        let payment = payment(Needs::Nothing, consume_on);
        let history = [vec![requested(&payment), confirmed(&payment)], usage].concat();
        let then = given(&history).when(command);
        assert_eq!(then, expected.map(|event| vec![event]), "{name}");
    }
}

#[test]
fn releasing_again_changes_nothing() {
    let payment = payment(Needs::Nothing, ConsumeOn::Settle);
    let released = vec![requested(&payment), confirmed(&payment), reserved(1, 160), released(1)];
    assert_eq!(given(&released).when(release(1)), Ok(Vec::new()));
    let held_by_another = [released, vec![reserved(2, 220)]].concat();
    assert_eq!(given(&held_by_another).when(release(1)), Ok(Vec::new()));
}
