//! An account transaction: who pays for it, its sequence number, and the fee it is charged.

use std::cmp::Ordering;

use concordium_rust_sdk::{
    base::{contracts_common::AccountAddress, transactions::Payload},
    v2::generated::{
        AccountTransactionDetails, AccountTransactionEffects, Amount, Empty, RejectReason,
        SponsorDetails, TransactionType,
        account_transaction_effects::{self, Effect},
        block_item_summary::Details,
        reject_reason::Reason,
    },
};

use super::{Context, Included, Verdict, data, keys, meter::Meter, token, transfer};
use crate::{
    energy,
    item::Transaction,
    state::{AccountIx, Ledger},
};

/// A transaction being executed.
pub(super) struct Run<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) height: u64,
    pub(super) sender: AccountIx,
    /// The sender as the transaction names it, which may be an alias.
    pub(super) sender_address: AccountAddress,
    pub(super) meter: Meter,
}

/// Executes an account transaction and charges whoever pays for it.
pub(super) fn execute(ledger: &mut Ledger, at: &Context, tx: &Transaction<'_>) -> Verdict {
    let Some(sender) = ledger.find(&tx.sender) else { return Verdict::Never };
    let payer = match &tx.sponsor {
        None => sender,
        Some(sponsor) => match ledger.find(sponsor) {
            Some(sponsor) => sponsor,
            None => return Verdict::Never,
        },
    };
    match tx.sequence.cmp(&ledger.latest(sender).sequence) {
        Ordering::Less => return Verdict::Never,
        Ordering::Greater => return Verdict::Later,
        Ordering::Equal => {}
    }
    if tx.energy > at.energy_left {
        return Verdict::Later;
    }
    let deposit = energy::fee(tx.energy);
    let Some(rest) = ledger.latest(payer).balance.checked_sub(deposit) else {
        return Verdict::Never;
    };

    ledger.edit(sender, at.height).sequence += 1;
    ledger.edit(payer, at.height).balance = rest;
    let mut run = Run {
        ledger,
        height: at.height,
        sender,
        sender_address: tx.sender,
        meter: Meter::new(tx.energy_base, tx.energy),
    };
    let payload = tx.payload.decode();
    let outcome = match &payload {
        Ok(payload) => run.payload(payload),
        Err(_) => Err(Reason::SerializationFailure(Empty {})),
    };
    let energy = run.meter.used();
    let fee = energy::fee(energy);
    // The deposit covers the fee, because energy used never exceeds energy stated.
    ledger.edit(payer, at.height).balance += deposit - fee;
    let effects = effects(payload.ok().as_ref(), outcome);
    Verdict::Included(Box::new(Included { details: details(tx, fee, effects), energy, fee }))
}

impl Run<'_> {
    fn payload(&mut self, payload: &Payload) -> Result<Effect, Reason> {
        let Some(energy) = energy::of_payload(payload) else {
            // Contracts, staking and encrypted amounts are not simulated.
            return Err(Reason::SerializationFailure(Empty {}));
        };
        self.meter.charge(energy)?;
        match payload {
            Payload::Transfer { to_address, amount } => {
                transfer::execute(self, to_address, amount.micro_ccd, None)
            }
            Payload::TransferWithMemo { to_address, memo, amount } => {
                transfer::execute(self, to_address, amount.micro_ccd, Some(memo))
            }
            Payload::RegisterData { data } => Ok(data::register(data)),
            Payload::TokenUpdate { payload } => token::update(self, payload),
            Payload::UpdateCredentialKeys { cred_id, keys } => keys::replace(self, cred_id, keys),
            _ => Err(Reason::SerializationFailure(Empty {})),
        }
    }
}

fn effects(
    payload: Option<&Payload>,
    outcome: Result<Effect, Reason>,
) -> AccountTransactionEffects {
    let effect = outcome.unwrap_or_else(|reason| {
        Effect::None(account_transaction_effects::None {
            transaction_type: payload.and_then(kind).map(i32::from),
            reject_reason: Some(RejectReason { reason: Some(reason) }),
        })
    });
    AccountTransactionEffects { effect: Some(effect) }
}

fn kind(payload: &Payload) -> Option<TransactionType> {
    match payload {
        Payload::Transfer { .. } => Some(TransactionType::Transfer),
        Payload::TransferWithMemo { .. } => Some(TransactionType::TransferWithMemo),
        Payload::RegisterData { .. } => Some(TransactionType::RegisterData),
        Payload::TokenUpdate { .. } => Some(TransactionType::TokenUpdate),
        Payload::UpdateCredentialKeys { .. } => Some(TransactionType::UpdateCredentialKeys),
        _ => None,
    }
}

fn details(tx: &Transaction<'_>, fee: u64, effects: AccountTransactionEffects) -> Details {
    let sponsor = tx.sponsor.map(|address| SponsorDetails {
        cost: Some(Amount { value: fee }),
        sponsor: Some(address.into()),
    });
    let cost = if sponsor.is_some() { 0 } else { fee };
    Details::AccountTransaction(AccountTransactionDetails {
        cost: Some(Amount { value: cost }),
        sender: Some(tx.sender.into()),
        effects: Some(effects),
        sponsor,
    })
}
