//! A transfer of CCD, with or without a memo.

use concordium_rust_sdk::{
    base::{contracts_common::AccountAddress, transactions::Memo},
    v2::generated::{
        self, Amount,
        account_transaction_effects::{AccountTransfer, Effect},
        reject_reason::{AmountTooLarge, Reason},
    },
};

use super::transaction::Run;

/// Moves `micro_ccd` from the sender to `to`.
pub(super) fn execute(
    run: &mut Run<'_>,
    to: &AccountAddress,
    micro_ccd: u64,
    memo: Option<&Memo>,
) -> Result<Effect, Reason> {
    let Some(receiver) = run.ledger.find(to) else {
        return Err(Reason::InvalidAccountReference(to.into()));
    };
    let amount = Some(Amount { value: micro_ccd });
    let balance = &mut run.ledger.edit(run.sender, run.height).balance;
    let Some(rest) = balance.checked_sub(micro_ccd) else {
        let kind = generated::address::Type::Account(run.sender_address.into());
        let address = Some(generated::Address { r#type: Some(kind) });
        return Err(Reason::AmountTooLarge(AmountTooLarge { address, amount }));
    };
    *balance = rest;
    // All CCD there is fits in a u64, so no balance can overflow.
    run.ledger.edit(receiver, run.height).balance += micro_ccd;
    let receiver = Some(to.into());
    let memo = memo.map(Into::into);
    Ok(Effect::AccountTransfer(AccountTransfer { amount, receiver, memo }))
}
