//! The nine rules of a sponsored payment in the order of the scheme's specification, as tables.
//!
//! Rules 1 and 2 hold for every transaction that could be read. Our own bounds stand before the
//! signatures are checked, because they bound that work, too. The first rule that is broken names
//! the refusal.

use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, TimeDelta, Utc};

use crate::exact;
use crate::offer::reject;
use crate::rejection::Rejection;
use crate::sponsored::energy;
use crate::sponsored::offer::{Offer, Policy, Sponsor};
use crate::sponsored::payment::SponsoredPayment;
use crate::sponsored::transaction::{Operation, Transaction, Transfer};

/// How far ahead the chain lets a transaction expire.
const EXPIRY_AHEAD_MAX_S: u64 = 2 * 60 * 60;

/// A transaction, and what it must pay.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What is asked for.
    pub offer: &'a Offer,
    /// What was signed.
    pub transaction: &'a Transaction,
    /// What we sponsor.
    pub policy: &'a Policy,
    /// When it is looked at.
    pub now: DateTime<Utc>,
}

/// What the sender's signatures are worth, by the keys and thresholds that its account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderSignature {
    /// Every one holds, and there are enough.
    Holds,
    /// One does not hold, or there are too few.
    DoesNotHold,
    /// There is no such account.
    NoAccount,
}

type Rule = fn(&Case<'_>) -> Result<(), Rejection>;

/// Rules 3 to 8 as far as they need nothing from the chain, and our bounds.
pub const BEFORE_SIGNATURE: &[(&str, Rule)] = &[
    ("3: the sponsor is the offer's fee payer", names_the_fee_payer),
    ("3: the fee payer is ours", is_ours),
    ("4: it goes to payTo", to_the_recipient),
    ("5: it is of exactly the amount", of_the_amount),
    ("6: it is of the asset", of_the_asset),
    ("7: it has not expired", not_expired),
    ("7: it expires in time", expires_in_time),
    ("8: the sender has signed", is_signed),
    ("it costs no more than we allow", within_bounds),
];

/// Rule 9, which comes after the signatures.
pub const AFTER_SIGNATURE: &[(&str, Rule)] = &[
    ("9: it is one transfer and nothing else", is_one_transfer),
    ("9: no sponsor of ours sends", no_sponsor_sends),
    ("9: no sponsor of ours receives", no_sponsor_receives),
];

impl Case<'_> {
    /// Applies what needs nothing from the chain, so that it is not asked in vain.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_words(&self) -> Result<(), Rejection> {
        BEFORE_SIGNATURE.iter().try_for_each(|(_, rule)| rule(self))
    }

    /// Decides whether it is a payment that we may sponsor.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn decide(&self, signature: SenderSignature) -> Result<SponsoredPayment, Rejection> {
        self.check_words()?;
        signature_holds(signature)?;
        AFTER_SIGNATURE.iter().try_for_each(|(_, rule)| rule(self))?;
        self.payment()
    }

    fn payment(&self) -> Result<SponsoredPayment, Rejection> {
        let Self { offer, transaction, .. } = self;
        Ok(SponsoredPayment {
            network: offer.network.clone(),
            payer: transaction.sender,
            sequence_number: transaction.sequence_number,
            pay_to: offer.pay_to,
            asset: offer.asset.clone(),
            amount: offer.amount,
            decimals: self.only_transfer()?.decimals,
            sponsor: self.sponsor()?.address,
            energy: self.energy()?,
            expires_at: self.expires_at()?,
            digest: transaction.digest,
            resource: offer.resource.clone(),
        })
    }

    fn sponsor(&self) -> Result<&Sponsor, Rejection> {
        let is_fee_payer = |sponsor: &&Sponsor| sponsor.address.is_alias_of(&self.offer.fee_payer);
        self.policy.sponsors.iter().find(is_fee_payer).ok_or_else(|| {
            let detail = format!("{} is none of our accounts", self.offer.fee_payer);
            Rejection::new(ReasonCode::FeePayerNotManagedByFacilitator, detail)
        })
    }

    fn only_transfer(&self) -> Result<&Transfer, Rejection> {
        match &self.transaction.operations[..] {
            [Operation::Transfer(transfer)] => Ok(transfer),
            [Operation::Other] => {
                reject(ReasonCode::UnexpectedTokenOperationsCount, "it is no transfer")
            }
            operations => {
                let detail = format!("it holds {} operations, not one", operations.len());
                Err(Rejection::new(ReasonCode::UnexpectedTokenOperationsCount, detail))
            }
        }
    }

    fn energy(&self) -> Result<u64, Rejection> {
        self.transaction.energy.total().ok_or_else(|| {
            Rejection::new(ReasonCode::EnergyOutOfBounds, "the energy cannot be counted")
        })
    }

    fn expires_at(&self) -> Result<DateTime<Utc>, Rejection> {
        let seconds = i64::try_from(self.transaction.expires_at_s).ok();
        seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).ok_or_else(|| {
            Rejection::new(ReasonCode::ExpiryTooFarInFuture, "the expiry is no time")
        })
    }
}

fn names_the_fee_payer(case: &Case<'_>) -> Result<(), Rejection> {
    let (sponsor, fee_payer) = (&case.transaction.sponsor, &case.offer.fee_payer);
    if sponsor.is_alias_of(fee_payer) {
        return Ok(());
    }
    let detail = format!("{sponsor} is the sponsor, {fee_payer} is required");
    Err(Rejection::new(ReasonCode::SponsorMismatch, detail))
}

fn is_ours(case: &Case<'_>) -> Result<(), Rejection> {
    case.sponsor().map(drop)
}

fn to_the_recipient(case: &Case<'_>) -> Result<(), Rejection> {
    let mut transfers = case.transaction.transfers();
    transfers.try_for_each(|transfer| exact::recipient(&transfer.to, &case.offer.pay_to))
}

fn of_the_amount(case: &Case<'_>) -> Result<(), Rejection> {
    let mut transfers = case.transaction.transfers();
    transfers.try_for_each(|transfer| exact::amount(transfer.amount, case.offer.amount))
}

fn of_the_asset(case: &Case<'_>) -> Result<(), Rejection> {
    exact::asset(&case.transaction.asset, &case.offer.asset)
}

fn not_expired(case: &Case<'_>) -> Result<(), Rejection> {
    let expires_at = case.expires_at()?;
    if case.now < expires_at {
        return Ok(());
    }
    let detail = format!("it expired at {expires_at}");
    Err(Rejection::new(ReasonCode::TransactionExpired, detail))
}

fn expires_in_time(case: &Case<'_>) -> Result<(), Rejection> {
    let seconds = case.offer.max_timeout_seconds.min(EXPIRY_AHEAD_MAX_S);
    let ahead = TimeDelta::seconds(seconds.cast_signed());
    if case.expires_at()? <= case.now + ahead {
        return Ok(());
    }
    let detail = format!("it must expire within {seconds} s from now");
    Err(Rejection::new(ReasonCode::ExpiryTooFarInFuture, detail))
}

fn is_signed(case: &Case<'_>) -> Result<(), Rejection> {
    if case.transaction.signatures > 0 {
        return Ok(());
    }
    Err(Rejection::of(ReasonCode::MissingSenderSignature))
}

fn within_bounds(case: &Case<'_>) -> Result<(), Rejection> {
    let sponsor_signs = case.sponsor()?.signatures;
    energy::check(case.transaction, sponsor_signs, &case.policy.bounds)?;
    case.energy().map(drop)
}

/// Rule 8, by the keys that the sender's account has at some time.
///
/// # Errors
/// Where the signatures do not hold.
pub fn signature_holds(signature: SenderSignature) -> Result<(), Rejection> {
    let detail = match signature {
        SenderSignature::Holds => return Ok(()),
        SenderSignature::DoesNotHold => {
            "a signature does not hold for the account's keys, or there are too few"
        }
        SenderSignature::NoAccount => "the sender's account does not exist on this network",
    };
    reject(ReasonCode::InvalidSenderSignature, detail)
}

fn is_one_transfer(case: &Case<'_>) -> Result<(), Rejection> {
    case.only_transfer().map(drop)
}

fn no_sponsor_sends(case: &Case<'_>) -> Result<(), Rejection> {
    let sends = |sponsor: &Sponsor| sponsor.address.is_alias_of(&case.transaction.sender);
    if case.policy.sponsors.iter().any(sends) {
        return Err(Rejection::of(ReasonCode::SponsorAsSender));
    }
    Ok(())
}

fn no_sponsor_receives(case: &Case<'_>) -> Result<(), Rejection> {
    let receives = |sponsor: &Sponsor| {
        case.transaction.transfers().any(|transfer| sponsor.address.is_alias_of(&transfer.to))
    };
    if case.policy.sponsors.iter().any(receives) {
        return Err(Rejection::of(ReasonCode::SponsorAsRecipient));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
