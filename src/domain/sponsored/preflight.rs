//! Whether the chain would take a sponsored payment and carry it out, by what is known of it.
//!
//! The chain checks only the sponsor's deposit before it includes a transaction: a transfer that it
//! rejects afterwards costs the sponsor its fee. What the payer's payments on their way will take
//! counts as taken. Asking the chain, and keeping the holds, is done elsewhere.

use std::collections::BTreeSet;

use ccd402_protocol::code::ReasonCode;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::asset::Asset;
use crate::offer::reject;
use crate::rejection::Rejection;
use crate::sponsored::payment::SponsoredPayment;

/// An account, as of a finalized block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// The sequence number of its next transaction.
    pub next_sequence_number: u64,
    /// MicroCCD that it may spend: neither staked nor locked.
    pub available: Amount,
    /// The tokens that it has to do with.
    pub tokens: Vec<TokenHeld>,
}

/// What an account has to do with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHeld {
    /// Which token.
    pub token: Asset,
    /// Smallest units.
    pub balance: Amount,
    /// Whether it is on the token's allow list.
    pub is_allowed: bool,
    /// Whether it is on the token's deny list.
    pub is_denied: bool,
}

/// A token, as of a finalized block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenState {
    /// Its id as the chain spells it.
    pub id: Asset,
    /// Decimals of its amounts.
    pub decimals: u8,
    /// Whether transfers are refused for now.
    pub is_paused: bool,
    /// Whether only accounts on its allow list may send and receive.
    pub has_allow_list: bool,
    /// Whether accounts on its deny list may not.
    pub has_deny_list: bool,
}

/// What another payment of the same payer will take; it is on its way, or may be sent any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Its sequence number.
    pub sequence_number: u64,
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
}

/// What the sponsor has, and what it has promised to other payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SponsorFunds {
    /// MicroCCD that it may spend.
    pub available: Amount,
    /// MicroCCD of fees that it may still be charged.
    pub promised: Amount,
}

/// What is known, all of it as of one time, as far as it can be had.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The payer's account.
    pub payer: &'a AccountState,
    /// The recipient's account; none if there is none.
    pub recipient: Option<&'a AccountState>,
    /// The token that is paid in; none for CCD, or if there is none.
    pub token: Option<&'a TokenState>,
    /// The sponsor's money.
    pub sponsor: SponsorFunds,
    /// MicroCCD that the payment's energy costs at most.
    pub fee_max: Amount,
}

/// A payment, the payer's other payments, and what is known.
struct Flight<'a> {
    payment: &'a SponsoredPayment,
    holds: &'a [Hold],
    facts: &'a Facts<'a>,
}

type Check = fn(&Flight<'_>) -> Result<(), Rejection>;

/// Every check by name, in the order in which they are applied.
const TABLE: &[(&str, Check)] = &[
    ("its number is the next one", has_the_next_number),
    ("there is such a token", token_exists),
    ("it is written in the token's decimals", has_the_decimals),
    ("the payer can afford it", payer_can_afford_it),
    ("the sponsor can afford the fee", sponsor_can_afford_it),
    ("there is such a recipient", recipient_exists),
    ("the token lets it happen", token_allows_it),
];

/// Whether the payment is likely to be carried out. Holds of the payment itself must be left out;
/// holds that the account's state counts already do not matter.
///
/// # Errors
/// The first check that fails.
pub fn check(
    payment: &SponsoredPayment,
    holds: &[Hold],
    facts: &Facts<'_>,
) -> Result<(), Rejection> {
    let flight = Flight { payment, holds, facts };
    TABLE.iter().try_for_each(|(_, check)| check(&flight))
}

/// The number that the payer's next payment must have: the account's, or the first one after it
/// that no other payment holds.
#[must_use]
pub fn next_sequence_number(payer: &AccountState, holds: &[Hold]) -> u64 {
    let held: BTreeSet<u64> = holds.iter().map(|hold| hold.sequence_number).collect();
    let first = payer.next_sequence_number;
    // One more than there are holds: one of them is free.
    let mut numbers = (first..=u64::MAX).take(held.len() + 1);
    numbers.find(|number| !held.contains(number)).unwrap_or(first)
}

impl AccountState {
    /// What it can spend of an asset.
    #[must_use]
    pub fn balance(&self, asset: &Asset) -> Amount {
        match asset {
            Asset::Ccd => self.available,
            Asset::Token(_) => self.held(asset).map_or(Amount::from_units(0), |held| held.balance),
        }
    }

    fn held(&self, token: &Asset) -> Option<&TokenHeld> {
        self.tokens.iter().find(|held| held.token == *token)
    }

    fn is_let_by_allow_list(&self, token: &TokenState) -> bool {
        !token.has_allow_list || self.held(&token.id).is_some_and(|held| held.is_allowed)
    }

    fn is_let_by_deny_list(&self, token: &TokenState) -> bool {
        !token.has_deny_list || !self.held(&token.id).is_some_and(|held| held.is_denied)
    }
}

fn has_the_next_number(flight: &Flight<'_>) -> Result<(), Rejection> {
    let next = next_sequence_number(flight.facts.payer, flight.holds);
    let number = flight.payment.sequence_number;
    if number == next {
        return Ok(());
    }
    let detail = format!("nonce is {number}, the payer's next one is {next}");
    Err(Rejection::new(ReasonCode::PreflightNonceMismatch, detail))
}

fn token_exists(flight: &Flight<'_>) -> Result<(), Rejection> {
    let asset = &flight.payment.asset;
    let is_there = match asset {
        Asset::Ccd => true,
        Asset::Token(_) => flight.facts.token.is_some_and(|token| token.id == *asset),
    };
    if is_there {
        return Ok(());
    }
    let detail = format!("asset: there is no token {asset} on this network");
    Err(Rejection::new(ReasonCode::InvalidPaymentRequirements, detail))
}

fn has_the_decimals(flight: &Flight<'_>) -> Result<(), Rejection> {
    let wanted = match flight.payment.asset {
        Asset::Ccd => None,
        Asset::Token(_) => flight.facts.token.map(|token| token.decimals),
    };
    if flight.payment.decimals == wanted {
        return Ok(());
    }
    let detail = "the amount is written in other decimals than the token's";
    reject(ReasonCode::AmountMismatch, detail)
}

fn payer_can_afford_it(flight: &Flight<'_>) -> Result<(), Rejection> {
    let Flight { payment, holds, facts } = flight;
    let first = facts.payer.next_sequence_number;
    let is_to_come = |hold: &&Hold| hold.sequence_number >= first && hold.asset == payment.asset;
    let held = holds.iter().filter(is_to_come).map(|hold| u128::from(hold.amount.units()));
    let taken = held.sum::<u128>() + u128::from(payment.amount.units());
    let balance = facts.payer.balance(&payment.asset);
    if taken <= u128::from(balance.units()) {
        return Ok(());
    }
    let code = match payment.asset {
        Asset::Ccd => ReasonCode::PreflightInsufficientFunds,
        Asset::Token(_) => ReasonCode::PreflightInsufficientTokenFunds,
    };
    let detail = format!("the payer has {balance} smallest units, its payments take {taken}");
    Err(Rejection::new(code, detail))
}

fn sponsor_can_afford_it(flight: &Flight<'_>) -> Result<(), Rejection> {
    let Facts { sponsor: SponsorFunds { available, promised }, fee_max, .. } = flight.facts;
    let needed = u128::from(promised.units()) + u128::from(fee_max.units());
    if needed <= u128::from(available.units()) {
        return Ok(());
    }
    Err(Rejection::of(ReasonCode::PreflightInsufficientSponsorFunds))
}

fn recipient_exists(flight: &Flight<'_>) -> Result<(), Rejection> {
    if flight.facts.recipient.is_some() {
        return Ok(());
    }
    let detail = "payTo: the account does not exist on this network";
    reject(ReasonCode::InvalidPaymentRequirements, detail)
}

fn token_allows_it(flight: &Flight<'_>) -> Result<(), Rejection> {
    let Facts { payer, recipient, token: Some(token), .. } = flight.facts else { return Ok(()) };
    if token.is_paused {
        return reject(ReasonCode::PreflightTokenPaused, "the token is paused");
    }
    let both = [("payer", Some(*payer)), ("recipient", *recipient)];
    for (who, account) in both.into_iter().filter_map(|(who, it)| it.map(|it| (who, it))) {
        if !account.is_let_by_allow_list(token) {
            let detail = format!("the {who} is not on the allow list of {}", token.id);
            return Err(Rejection::new(ReasonCode::PreflightTokenNotAllowed, detail));
        }
        if !account.is_let_by_deny_list(token) {
            let detail = format!("the {who} is on the deny list of {}", token.id);
            return Err(Rejection::new(ReasonCode::PreflightTokenDenied, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
