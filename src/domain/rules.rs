//! The rules that a finalized transaction must meet to be a payment, as a table in order. Those of a
//! payment that we sent ourselves are in `sponsored/settled`.
//!
//! Binding comes before amounts: of a transfer that was made for another request nothing else is
//! anybody's business here.

use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::payload::BindingKind;
use chrono::TimeDelta;

use crate::exact;
use crate::memo;
use crate::payment::Payment;
use crate::rejection::Rejection;
use crate::sponsored::payment::SponsoredPayment;
use crate::sponsored::settled;
use crate::transaction::{FinalizedTransaction, Outcome, Transfer};

/// How far the chain's clock and the gate's may disagree about when a challenge opened.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(10);

type Rule = fn(&Payment, &FinalizedTransaction, &Transfer) -> Result<(), Rejection>;

/// Every rule, by name, in the order in which they are applied.
pub const TABLE: &[(&str, Rule)] = &[
    ("the payer sent it", sent_by_payer),
    ("its memo binds it", bound_by_memo),
    ("it is of the asset", of_the_asset),
    ("it went to payTo", to_the_recipient),
    ("it is of exactly the amount", of_the_amount),
    ("it was made while the challenge was open", inside_the_window),
];

/// Whether the transaction is the payment.
///
/// # Errors
/// The first rule that fails.
pub fn check(payment: &Payment, transaction: &FinalizedTransaction) -> Result<(), Rejection> {
    if let Some(sponsored) = SponsoredPayment::of(payment) {
        return settled::check(&sponsored, transaction);
    }
    let transfer = match &transaction.outcome {
        Outcome::Transfer(transfer) => transfer,
        Outcome::Rejected { reason } => {
            let detail = format!("the chain rejected it: {reason}");
            return Err(Rejection::new(ReasonCode::TransactionFailedOnChain, detail));
        }
        Outcome::NotATransfer => return Err(Rejection::of(ReasonCode::TransactionNotATransfer)),
    };
    TABLE.iter().try_for_each(|(_, rule)| rule(payment, transaction, transfer))
}

fn sent_by_payer(
    payment: &Payment,
    transaction: &FinalizedTransaction,
    _: &Transfer,
) -> Result<(), Rejection> {
    match transaction.sender {
        Some(sender) if sender.is_alias_of(&payment.payer) => Ok(()),
        _ => Err(Rejection::new(ReasonCode::PaymentNotBound, "another account sent the transfer")),
    }
}

fn bound_by_memo(
    payment: &Payment,
    _: &FinalizedTransaction,
    transfer: &Transfer,
) -> Result<(), Rejection> {
    let is_bound = match payment.binding {
        BindingKind::Memo => {
            transfer.memo.as_deref().is_some_and(|memo| memo::carries(memo, &payment.digest))
        }
        // The aggregate has these checked by their proofs before it confirms anything.
        BindingKind::Presentation | BindingKind::Signature => true,
    };
    if is_bound {
        return Ok(());
    }
    let detail = "the transfer's memo is not the binding digest of this request";
    Err(Rejection::new(ReasonCode::PaymentNotBound, detail))
}

fn of_the_asset(
    payment: &Payment,
    _: &FinalizedTransaction,
    transfer: &Transfer,
) -> Result<(), Rejection> {
    exact::asset(&transfer.asset, &payment.asset)
}

fn to_the_recipient(
    payment: &Payment,
    _: &FinalizedTransaction,
    transfer: &Transfer,
) -> Result<(), Rejection> {
    exact::recipient(&transfer.to, &payment.pay_to)
}

fn of_the_amount(
    payment: &Payment,
    _: &FinalizedTransaction,
    transfer: &Transfer,
) -> Result<(), Rejection> {
    exact::amount(transfer.amount, payment.amount)
}

fn inside_the_window(
    payment: &Payment,
    transaction: &FinalizedTransaction,
    _: &Transfer,
) -> Result<(), Rejection> {
    let made_at = transaction.block.time;
    let is_early = made_at < payment.window.opens_at - CLOCK_SKEW;
    let is_late = made_at > payment.window.closes_at;
    if !is_early && !is_late {
        return Ok(());
    }
    let detail = format!(
        "made at {made_at}, the challenge was open from {} to {}",
        payment.window.opens_at, payment.window.closes_at
    );
    Err(Rejection::new(ReasonCode::TransferOutsideChallenge, detail))
}

#[cfg(test)]
mod tests;
