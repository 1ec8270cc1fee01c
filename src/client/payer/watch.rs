//! What has become of a sponsored payment, by the chain's word alone: whoever was handed it may say
//! what they like.
//!
//! Its hash comes of the sponsor's signature and is not known to the payer. Its sequence number is:
//! the chain takes one transaction for it.

use ccd402_domain::ids::TransactionHash;
use ccd402_domain::transaction::Outcome;

use crate::payer::flights::{EXPIRED, NODES_APART_MAX};
use crate::payer::record::{Means, Record};
use crate::payer::wallet::{self, Numbered, Wallet};

/// What has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It may still be included.
    Open,
    /// It is final, and moved its amount.
    Paid(TransactionHash),
    /// It moved nothing and never will.
    Never(String),
}

/// Asks the chain.
///
/// # Errors
/// Where the wallet's node cannot be asked.
pub(crate) async fn fate(wallet: &dyn Wallet, record: &Record) -> Result<Fate, wallet::Error> {
    let Means::Sponsored { sequence_number, .. } = record.means else { return Ok(Fate::Open) };
    // The time first: a number that is free after the payment has expired stays free of it.
    let reached = wallet.time_finalized().await?;
    Ok(match wallet.numbered(sequence_number).await? {
        Some(numbered) => by_number(record, numbered),
        None if reached > record.expires_at + NODES_APART_MAX => Fate::Never(EXPIRED.to_owned()),
        None => Fate::Open,
    })
}

/// The payer signs for one payment with a number, so that what has its number, its sponsor and its
/// terms is it.
fn by_number(record: &Record, numbered: Numbered) -> Fate {
    let Means::Sponsored { sponsor, .. } = &record.means else { return Fate::Open };
    let is_sponsored = numbered.sponsor.is_some_and(|paid| paid.is_alias_of(sponsor));
    match numbered.outcome {
        Outcome::Transfer(moved)
            if is_sponsored
                && moved.to.is_alias_of(&record.pay_to)
                && moved.asset == record.asset
                && moved.amount == record.amount =>
        {
            Fate::Paid(numbered.hash)
        }
        Outcome::Rejected { reason } if is_sponsored => {
            Fate::Never(format!("the chain rejected it: {reason}"))
        }
        _ => Fate::Never("another transaction took its sequence number".to_owned()),
    }
}
