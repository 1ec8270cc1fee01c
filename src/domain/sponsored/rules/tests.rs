//! A row a reason, in the order in which the rules apply.

use super::*;
use crate::asset::Asset;
use crate::payment::Payment;
use crate::sample::{account, at, hash, pay_to, payer, token, units};
use crate::sponsored::sample::{
    fee_payer, offer, only, other_sponsor, policy, token_transaction, transaction,
};

/// The refusal of a transaction for an offer, at 0 s.
fn refusal(
    offer: &Offer,
    transaction: &Transaction,
    signature: SenderSignature,
) -> Option<ReasonCode> {
    let (policy, now) = (policy(), at(0));
    let case = Case { offer, transaction, policy: &policy, now };
    case.decide(signature).err().map(|rejection| rejection.code)
}

fn in_euros() -> Offer {
    Offer { asset: token("EURR"), ..offer() }
}

#[test]
fn the_right_transaction_is_the_payment() {
    let (offer, transaction, policy) = (offer(), transaction(), policy());
    let case = Case { offer: &offer, transaction: &transaction, policy: &policy, now: at(0) };
    assert_eq!(case.check_words(), Ok(()));
    let payment = case.decide(SenderSignature::Holds).unwrap();
    assert_eq!((payment.payer, payment.pay_to), (payer(), pay_to()));
    assert_eq!((payment.sponsor, payment.sequence_number), (fee_payer(), 42));
    assert_eq!((payment.asset, payment.amount), (Asset::Ccd, units(1_500_000)));
    assert_eq!((payment.energy, payment.decimals), (635, None));
    assert_eq!((payment.expires_at, payment.digest), (at(55), transaction.digest));
    assert_eq!(refusal(&in_euros(), &token_transaction(), SenderSignature::Holds), None);
}

#[test]
fn each_rule_names_its_refusal() {
    use ReasonCode as R;
    type Spoil = fn(&mut Offer, &mut Transaction);
    let rows: Vec<(&str, Spoil, R)> = vec![
        ("another sponsor", |_, tx| tx.sponsor = other_sponsor(), R::SponsorMismatch),
        (
            "a sponsor of nobody",
            |offer, tx| (offer.fee_payer, tx.sponsor) = (account(9), account(9)),
            R::FeePayerNotManagedByFacilitator,
        ),
        ("another recipient", |_, tx| only(tx).to = account(9), R::RecipientMismatch),
        ("one unit less", |_, tx| only(tx).amount = units(1_499_999), R::AmountMismatch),
        ("one unit more", |_, tx| only(tx).amount = units(1_500_001), R::AmountMismatch),
        ("a token for CCD", |_, tx| tx.asset = token("EURR"), R::AssetTypeMismatch),
        ("CCD for a token", |offer, _| offer.asset = token("EURR"), R::AssetTypeMismatch),
        (
            "another token",
            |offer, tx| (offer.asset, tx.asset) = (token("EURR"), token("USDR")),
            R::TokenIdMismatch,
        ),
        ("expired", |_, tx| tx.expires_at_s -= 55, R::TransactionExpired),
        ("a second too late", |_, tx| tx.expires_at_s += 6, R::ExpiryTooFarInFuture),
        ("no time at all", |_, tx| tx.expires_at_s = u64::MAX, R::ExpiryTooFarInFuture),
        (
            "later than the chain takes",
            |offer, tx| {
                offer.max_timeout_seconds = u64::MAX;
                tx.expires_at_s += 7_200;
            },
            R::ExpiryTooFarInFuture,
        ),
        ("not signed", |_, tx| tx.signatures = 0, R::MissingSenderSignature),
        ("too little energy", |_, tx| tx.energy.execution = 299, R::EnergyOutOfBounds),
        ("too much energy", |_, tx| tx.energy.execution = 2_001, R::EnergyOutOfBounds),
        ("more signatures than stated", |_, tx| tx.signatures = 2, R::EnergyOutOfBounds),
        (
            "too many signatures stated",
            |_, tx| tx.energy.sender_signatures = 9,
            R::EnergyOutOfBounds,
        ),
        (
            "no signature of the sponsor",
            |_, tx| tx.energy.sponsor_signatures = 0,
            R::EnergyOutOfBounds,
        ),
        ("too many of the sponsor", |_, tx| tx.energy.sponsor_signatures = 9, R::EnergyOutOfBounds),
        ("a long memo", |_, tx| only(tx).memo = Some(vec![0; 257]), R::EnergyOutOfBounds),
        ("a long payload", |_, tx| tx.energy.payload_bytes = 641, R::EnergyOutOfBounds),
        ("no transfer", |_, tx| tx.operations.clear(), R::UnexpectedTokenOperationsCount),
        (
            "something else",
            |_, tx| tx.operations = vec![Operation::Other],
            R::UnexpectedTokenOperationsCount,
        ),
        (
            "two transfers",
            |_, tx| tx.operations.push(tx.operations[0].clone()),
            R::UnexpectedTokenOperationsCount,
        ),
        (
            "a transfer and something else",
            |_, tx| tx.operations.push(Operation::Other),
            R::UnexpectedTokenOperationsCount,
        ),
        ("a sponsor sends", |_, tx| tx.sender = fee_payer(), R::SponsorAsSender),
        ("another sponsor of ours sends", |_, tx| tx.sender = other_sponsor(), R::SponsorAsSender),
        (
            "a sponsor receives",
            |offer, tx| (offer.pay_to, only(tx).to) = (other_sponsor(), other_sponsor()),
            R::SponsorAsRecipient,
        ),
    ];
    for (name, spoil, expected) in rows {
        let (mut offer, mut transaction) = (offer(), transaction());
        spoil(&mut offer, &mut transaction);
        let found = refusal(&offer, &transaction, SenderSignature::Holds);
        assert_eq!(found, Some(expected), "{name}");
    }
    for signature in [SenderSignature::DoesNotHold, SenderSignature::NoAccount] {
        let found = refusal(&offer(), &transaction(), signature);
        assert_eq!(found, Some(R::InvalidSenderSignature), "{signature:?}");
    }
}

#[test]
fn energy_for_a_token_covers_its_operations() {
    for (execution, expected) in [(399, Some(ReasonCode::EnergyOutOfBounds)), (400, None)] {
        let mut transaction = token_transaction();
        transaction.energy.execution = execution;
        let found = refusal(&in_euros(), &transaction, SenderSignature::Holds);
        assert_eq!(found, expected, "{execution}");
    }
}

#[test]
fn the_first_rule_that_is_broken_is_the_reason() {
    use ReasonCode as R;
    let mut offer = Offer { fee_payer: account(9), ..offer() };
    let mut wrong = transaction();
    wrong.sender = other_sponsor();
    wrong.expires_at_s = 0;
    wrong.asset = token("EURR");
    wrong.signatures = 0;
    wrong.energy.execution = 1;
    let to_ours = Transfer { to: fee_payer(), ..only(&mut wrong).clone() };
    let twice = Transfer { amount: units(1), ..to_ours };
    wrong.operations = vec![Operation::Transfer(twice.clone()), Operation::Transfer(twice)];
    let mut signature = SenderSignature::DoesNotHold;

    type Repair = fn(&mut Offer, &mut Transaction, &mut SenderSignature);
    fn each(transaction: &mut Transaction, change: fn(&mut Transfer)) {
        for operation in &mut transaction.operations {
            let Operation::Transfer(transfer) = operation else { panic!("{operation:?}") };
            change(transfer);
        }
    }
    let repairs: [(R, Repair); 13] = [
        (R::SponsorMismatch, |offer, tx, _| tx.sponsor = offer.fee_payer),
        (R::FeePayerNotManagedByFacilitator, |offer, tx, _| {
            (offer.fee_payer, tx.sponsor) = (fee_payer(), fee_payer());
        }),
        // For now a sponsor is to be paid, so that the last rule is broken to the end.
        (R::RecipientMismatch, |offer, _, _| offer.pay_to = fee_payer()),
        (R::AmountMismatch, |_, tx, _| each(tx, |transfer| transfer.amount = units(1_500_000))),
        (R::AssetTypeMismatch, |offer, _, _| offer.asset = token("USDR")),
        (R::TokenIdMismatch, |offer, _, _| offer.asset = token("eurr")),
        (R::TransactionExpired, |_, tx, _| tx.expires_at_s = u64::from(u32::MAX)),
        (R::ExpiryTooFarInFuture, |_, tx, _| {
            tx.expires_at_s = at(60).timestamp().unsigned_abs();
        }),
        (R::MissingSenderSignature, |_, tx, _| tx.signatures = 1),
        (R::EnergyOutOfBounds, |_, tx, _| tx.energy.execution = 500),
        (R::InvalidSenderSignature, |_, _, signature| *signature = SenderSignature::Holds),
        (R::UnexpectedTokenOperationsCount, |_, tx, _| drop(tx.operations.pop())),
        (R::SponsorAsSender, |_, tx, _| tx.sender = payer()),
    ];
    for (expected, repair) in repairs {
        assert_eq!(refusal(&offer, &wrong, signature), Some(expected));
        repair(&mut offer, &mut wrong, &mut signature);
    }
    assert_eq!(refusal(&offer, &wrong, signature), Some(R::SponsorAsRecipient));
    (offer.pay_to, only(&mut wrong).to) = (pay_to(), pay_to());
    assert_eq!(refusal(&offer, &wrong, signature), None);
}

#[test]
fn the_expiry_may_be_as_late_as_the_offer_says_and_no_earlier_than_now() {
    let (offer, policy, mut transaction) = (offer(), policy(), transaction());
    let mut code = |expires: i64, now: DateTime<Utc>| {
        transaction.expires_at_s = at(expires).timestamp().unsigned_abs();
        let case = Case { offer: &offer, transaction: &transaction, policy: &policy, now };
        case.check_words().err().map(|rejection| rejection.code)
    };
    let half = TimeDelta::milliseconds(500);
    assert_eq!(code(60, at(0)), None);
    assert_eq!(code(61, at(0)), Some(ReasonCode::ExpiryTooFarInFuture));
    assert_eq!(code(60, at(59) + half), None);
    assert_eq!(code(60, at(60)), Some(ReasonCode::TransactionExpired));
}

#[test]
fn aliases_are_the_same_accounts() {
    let alias = |address: crate::account::AccountAddress| {
        let mut bytes = *address.as_bytes();
        bytes[29..].fill(0xff);
        crate::account::AccountAddress::from_bytes(bytes)
    };
    let mut paid = transaction();
    paid.sponsor = alias(fee_payer());
    only(&mut paid).to = alias(pay_to());
    assert_eq!(refusal(&offer(), &paid, SenderSignature::Holds), None);
    paid.sender = alias(fee_payer());
    let found = refusal(&offer(), &paid, SenderSignature::Holds);
    assert_eq!(found, Some(ReasonCode::SponsorAsSender));
}

#[test]
fn words_are_checked_without_the_signature() {
    let (offer, policy, mut transaction) = (offer(), policy(), transaction());
    transaction.operations.clear();
    let case = Case { offer: &offer, transaction: &transaction, policy: &policy, now: at(0) };
    assert_eq!(case.check_words(), Ok(()), "rule 9 comes after the signature");
}

#[test]
fn what_is_written_down_reads_back_as_the_same_payment() {
    let sponsored = crate::sponsored::sample::payment();
    let payment = sponsored.clone().into_payment(hash(), units(635), at(0));
    let json = serde_json::to_value(&payment).unwrap();
    assert_eq!(json["sponsored"]["sequenceNumber"], 42);
    let read: Payment = serde_json::from_value(json).unwrap();
    assert_eq!(read, payment);
    assert_eq!(SponsoredPayment::of(&read), Some(sponsored));
    assert!(!payment.needs_signature(), "it was checked before it was taken in");
}
