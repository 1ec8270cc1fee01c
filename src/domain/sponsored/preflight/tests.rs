//! A row a reason, in the order in which the checks apply.

use proptest::prelude::*;

use super::*;
use crate::sample::{token, units};
use crate::sponsored::sample::payment;

/// Everything that is known, as owned values, for tests to spoil one of.
#[derive(Debug, Clone)]
struct Known {
    payment: SponsoredPayment,
    holds: Vec<Hold>,
    payer: AccountState,
    recipient: Option<AccountState>,
    token: Option<TokenState>,
    sponsor: SponsorFunds,
}

fn account(next_sequence_number: u64, available: u64) -> AccountState {
    let tokens = vec![TokenHeld {
        token: token("EURR"),
        balance: units(2_000_000),
        is_allowed: false,
        is_denied: false,
    }];
    AccountState { next_sequence_number, available: units(available), tokens }
}

/// 1.5 CCD of 2, or 1.5 EURR of 2, with the next number.
fn known() -> Known {
    Known {
        payment: payment(),
        holds: Vec::new(),
        payer: account(42, 2_000_000),
        recipient: Some(account(1, 0)),
        token: None,
        sponsor: SponsorFunds { available: units(1_000), promised: units(365) },
    }
}

fn in_euros() -> Known {
    let mut known = known();
    known.payment.asset = token("eurr");
    known.payment.decimals = Some(6);
    known.token = Some(TokenState {
        id: token("EURR"),
        decimals: 6,
        is_paused: false,
        has_allow_list: false,
        has_deny_list: false,
    });
    known
}

fn hold(sequence_number: u64, asset: &str, amount: u64) -> Hold {
    Hold { sequence_number, asset: asset.parse().unwrap(), amount: units(amount) }
}

fn code(known: &Known) -> Option<ReasonCode> {
    let facts = Facts {
        payer: &known.payer,
        recipient: known.recipient.as_ref(),
        token: known.token.as_ref(),
        sponsor: known.sponsor,
        fee_max: units(635),
    };
    check(&known.payment, &known.holds, &facts).err().map(|rejection| rejection.code)
}

fn of_token(known: &mut Known) -> &mut TokenState {
    known.token.as_mut().unwrap()
}

#[test]
fn what_can_be_paid_may_fly() {
    assert_eq!(code(&known()), None);
    assert_eq!(code(&in_euros()), None);
}

#[test]
fn each_check_names_its_refusal() {
    use ReasonCode as R;
    type Spoil = fn(&mut Known);
    let rows: Vec<(&str, Known, Spoil, R)> = vec![
        (
            "a used number",
            known(),
            |k| k.payer.next_sequence_number = 43,
            R::PreflightNonceMismatch,
        ),
        (
            "a number ahead",
            known(),
            |k| k.payer.next_sequence_number = 41,
            R::PreflightNonceMismatch,
        ),
        (
            "a number held already",
            known(),
            |k| k.holds = vec![hold(42, "CCD", 1)],
            R::PreflightNonceMismatch,
        ),
        ("no such token", in_euros(), |k| k.token = None, R::InvalidPaymentRequirements),
        (
            "facts of another token",
            in_euros(),
            |k| of_token(k).id = token("USDR"),
            R::InvalidPaymentRequirements,
        ),
        ("other decimals", in_euros(), |k| k.payment.decimals = Some(2), R::AmountMismatch),
        ("no decimals", in_euros(), |k| k.payment.decimals = None, R::AmountMismatch),
        (
            "too little CCD",
            known(),
            |k| k.payer.available = units(1_499_999),
            R::PreflightInsufficientFunds,
        ),
        (
            "too little of the token",
            in_euros(),
            |k| k.payer.tokens[0].balance = units(1_499_999),
            R::PreflightInsufficientTokenFunds,
        ),
        (
            "nothing of the token",
            in_euros(),
            |k| k.payer.tokens.clear(),
            R::PreflightInsufficientTokenFunds,
        ),
        (
            "a poor sponsor",
            known(),
            |k| k.sponsor.available = units(999),
            R::PreflightInsufficientSponsorFunds,
        ),
        ("no recipient", known(), |k| k.recipient = None, R::InvalidPaymentRequirements),
        ("paused", in_euros(), |k| of_token(k).is_paused = true, R::PreflightTokenPaused),
        (
            "an allow list without the payer",
            in_euros(),
            |k| {
                of_token(k).has_allow_list = true;
                k.recipient.as_mut().unwrap().tokens[0].is_allowed = true;
            },
            R::PreflightTokenNotAllowed,
        ),
        (
            "an allow list without a recipient that never had the token",
            in_euros(),
            |k| {
                of_token(k).has_allow_list = true;
                k.payer.tokens[0].is_allowed = true;
                k.recipient.as_mut().unwrap().tokens.clear();
            },
            R::PreflightTokenNotAllowed,
        ),
        (
            "a deny list with the payer",
            in_euros(),
            |k| {
                of_token(k).has_deny_list = true;
                k.payer.tokens[0].is_denied = true;
            },
            R::PreflightTokenDenied,
        ),
        (
            "a deny list with the recipient",
            in_euros(),
            |k| {
                of_token(k).has_deny_list = true;
                k.recipient.as_mut().unwrap().tokens[0].is_denied = true;
            },
            R::PreflightTokenDenied,
        ),
    ];
    for (name, mut known, spoil, expected) in rows {
        spoil(&mut known);
        assert_eq!(code(&known), Some(expected), "{name}");
    }
}

#[test]
fn the_first_check_that_fails_is_the_reason() {
    use ReasonCode as R;
    let mut wrong = in_euros();
    wrong.payment.sequence_number = 1;
    wrong.payment.decimals = None;
    wrong.payer.tokens[0].balance = units(0);
    wrong.sponsor.available = units(0);
    wrong.recipient = None;
    let mut token = of_token(&mut wrong).clone();
    token.is_paused = true;
    wrong.token = None;
    type Repair<'a> = &'a dyn Fn(&mut Known);
    let repairs: [(R, Repair<'_>); 7] = [
        (R::PreflightNonceMismatch, &|k| k.payment.sequence_number = 42),
        (R::InvalidPaymentRequirements, &|k| k.token = Some(token.clone())),
        (R::AmountMismatch, &|k| k.payment.decimals = Some(6)),
        (R::PreflightInsufficientTokenFunds, &|k| k.payer.tokens[0].balance = units(1_500_000)),
        (R::PreflightInsufficientSponsorFunds, &|k| k.sponsor.available = units(1_000)),
        (R::InvalidPaymentRequirements, &|k| k.recipient = Some(account(1, 0))),
        (R::PreflightTokenPaused, &|k| of_token(k).is_paused = false),
    ];
    for (expected, repair) in repairs {
        assert_eq!(code(&wrong), Some(expected));
        repair(&mut wrong);
    }
    assert_eq!(code(&wrong), None);
}

#[test]
fn several_payments_of_one_payer_may_be_on_their_way() {
    let mut third = known();
    third.payment.sequence_number = 44;
    third.payment.amount = units(500_000);
    third.holds = vec![hold(42, "CCD", 700_000), hold(43, "CCD", 800_000)];
    assert_eq!(code(&third), None);
    third.holds[0].amount = units(700_001);
    assert_eq!(code(&third), Some(ReasonCode::PreflightInsufficientFunds));
    third.holds[0].asset = token("EURR");
    assert_eq!(code(&third), None, "another asset takes nothing of this one");
}

#[test]
fn a_gap_is_filled_first_and_what_comes_after_it_still_counts() {
    let mut first = known();
    first.holds = vec![hold(43, "CCD", 600_000)];
    assert_eq!(code(&first), Some(ReasonCode::PreflightInsufficientFunds));
    first.holds[0].amount = units(500_000);
    assert_eq!(code(&first), None);
    first.payment.sequence_number = 44;
    assert_eq!(code(&first), Some(ReasonCode::PreflightNonceMismatch));
}

#[test]
fn what_is_final_already_is_not_taken_twice() {
    let mut known = known();
    known.holds = vec![hold(41, "CCD", 2_000_000)];
    assert_eq!(code(&known), None);
}

#[test]
fn lists_let_pass_who_is_on_them_as_they_want() {
    let mut known = in_euros();
    of_token(&mut known).has_allow_list = true;
    of_token(&mut known).has_deny_list = true;
    known.payer.tokens[0].is_allowed = true;
    known.recipient.as_mut().unwrap().tokens[0].is_allowed = true;
    assert_eq!(code(&known), None);
    // A mark of a list that the token does not have says nothing.
    of_token(&mut known).has_deny_list = false;
    known.payer.tokens[0].is_denied = true;
    assert_eq!(code(&known), None);
}

proptest! {
    #[test]
    fn the_next_number_is_free_and_none_before_it_is(
        first in 1..1_000_u64, held in proptest::collection::vec(1..1_050_u64, 0..60),
    ) {
        let holds: Vec<_> = held.iter().map(|number| hold(*number, "CCD", 1)).collect();
        let next = next_sequence_number(&account(first, 0), &holds);
        prop_assert!(next >= first && !held.contains(&next));
        prop_assert!((first..next).all(|number| held.contains(&number)));
    }
}
