//! Whether a finalized transaction is the sponsored payment that was sent.
//!
//! Its hash says so already. What it did is compared once more before anybody is told that it was
//! paid.

use ccd402_protocol::code::ReasonCode;

use crate::exact;
use crate::rejection::Rejection;
use crate::sponsored::payment::SponsoredPayment;
use crate::transaction::{FinalizedTransaction, Outcome};

/// Whether the transaction has paid.
///
/// # Errors
/// `transaction_failed_on_chain` where the chain rejected it, else what it did otherwise.
pub fn check(
    payment: &SponsoredPayment,
    transaction: &FinalizedTransaction,
) -> Result<(), Rejection> {
    let transfer = match &transaction.outcome {
        Outcome::Transfer(transfer) => transfer,
        Outcome::Rejected { reason } => {
            let detail = format!("the chain rejected it: {reason}");
            return Err(Rejection::new(ReasonCode::TransactionFailedOnChain, detail));
        }
        Outcome::NotATransfer => return Err(Rejection::of(ReasonCode::TransactionNotATransfer)),
    };
    if !transaction.sender.is_some_and(|sender| sender.is_alias_of(&payment.payer)) {
        let detail = "another account sent it";
        return Err(Rejection::new(ReasonCode::InvalidTransactionState, detail));
    }
    let sponsor = transaction.sponsorship.as_ref().map(|sponsorship| sponsorship.sponsor);
    if !sponsor.is_some_and(|sponsor| sponsor.is_alias_of(&payment.sponsor)) {
        let detail = "another account paid its fee";
        return Err(Rejection::new(ReasonCode::SponsorMismatch, detail));
    }
    exact::asset(&transfer.asset, &payment.asset)?;
    exact::recipient(&transfer.to, &payment.pay_to)?;
    exact::amount(transfer.amount, payment.amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::Asset;
    use crate::sample::{account, block, hash, token, units};
    use crate::sponsored::sample::{fee_payer, payment};
    use crate::transaction::{Sponsorship, Transfer};

    fn paid(change: impl FnOnce(&mut FinalizedTransaction, &mut Transfer)) -> Option<ReasonCode> {
        let payment = payment();
        let mut transfer = Transfer {
            to: payment.pay_to,
            asset: payment.asset.clone(),
            amount: payment.amount,
            memo: None,
        };
        let mut transaction = FinalizedTransaction {
            hash: hash(),
            block: block(),
            sender: Some(payment.payer),
            outcome: Outcome::NotATransfer,
            sponsorship: Some(Box::new(Sponsorship { sponsor: fee_payer(), fee: units(635) })),
        };
        change(&mut transaction, &mut transfer);
        if transaction.outcome == Outcome::NotATransfer {
            transaction.outcome = Outcome::Transfer(transfer);
        }
        check(&payment, &transaction).err().map(|rejection| rejection.code)
    }

    #[test]
    fn what_was_sent_has_paid() {
        assert_eq!(paid(|_, _| {}), None);
        assert_eq!(paid(|_, transfer| transfer.memo = Some(vec![1])), None);
    }

    #[test]
    fn anything_else_has_not() {
        let other = Sponsorship { sponsor: account(9), fee: units(1) };
        let rows = [
            (
                paid(|tx, _| tx.outcome = Outcome::Rejected { reason: "AmountTooLarge".into() }),
                ReasonCode::TransactionFailedOnChain,
            ),
            (paid(|tx, _| tx.sender = Some(account(9))), ReasonCode::InvalidTransactionState),
            (paid(|tx, _| tx.sender = None), ReasonCode::InvalidTransactionState),
            (paid(|tx, _| tx.sponsorship = None), ReasonCode::SponsorMismatch),
            (paid(|tx, _| tx.sponsorship = Some(Box::new(other))), ReasonCode::SponsorMismatch),
            (paid(|_, paid| paid.asset = token("EURR")), ReasonCode::AssetTypeMismatch),
            (paid(|_, paid| paid.to = account(9)), ReasonCode::RecipientMismatch),
            (paid(|_, paid| paid.amount = units(1_499_999)), ReasonCode::AmountMismatch),
        ];
        for (found, expected) in rows {
            assert_eq!(found, Some(expected));
        }
        assert_eq!(payment().asset, Asset::Ccd);
    }

    #[test]
    fn no_transfer_has_not_paid() {
        let transaction = FinalizedTransaction {
            hash: hash(),
            block: block(),
            sender: None,
            outcome: Outcome::NotATransfer,
            sponsorship: None,
        };
        let code = check(&payment(), &transaction).unwrap_err().code;
        assert_eq!(code, ReasonCode::TransactionNotATransfer);
    }
}
