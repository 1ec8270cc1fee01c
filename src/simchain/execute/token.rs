//! A token update: transfers, and what the governance account may do. All operations of a
//! transaction take effect, or none.

use concordium_rust_sdk::{
    base::{
        contracts_common::AccountAddress,
        protocol_level_tokens::{
            CborHolderAccount, CborMemo, TokenAmount, TokenListUpdateDetails,
            TokenListUpdateEventDetails, TokenOperation, TokenOperationsPayload, TokenTransfer,
        },
    },
    common::{cbor::cbor_encode, upward::Upward},
    v2::generated::{
        self, Memo,
        account_transaction_effects::Effect,
        plt::{self, token_event::Event, token_holder},
        reject_reason::Reason,
    },
};

use super::{token_reject as reject, transaction::Run};
use crate::{
    energy,
    genesis::GOVERNANCE,
    state::{AccountIx, Holding, TokenIx, TokenState},
};

/// Executes the operations in order.
pub(super) fn update(
    run: &mut Run<'_>,
    payload: &TokenOperationsPayload,
) -> Result<Effect, Reason> {
    let id = payload.token_id.as_ref();
    let Some(token) = run.ledger.find_token(id) else {
        return Err(Reason::NonExistentTokenId(plt::TokenId { value: id.to_owned() }));
    };
    let mut update = Update {
        before: run.ledger.token(token).state.latest().clone(),
        run,
        token,
        undo: Vec::new(),
    };
    match update.all(payload) {
        Ok(events) => Ok(Effect::TokenUpdateEffect(plt::TokenEffect { events })),
        Err(reason) => {
            update.take_back();
            Err(reason)
        }
    }
}

/// The operations of one transaction, with what undoes them.
struct Update<'a, 'b> {
    run: &'a mut Run<'b>,
    token: TokenIx,
    before: TokenState,
    /// What accounts had before each change, oldest first.
    undo: Vec<(AccountIx, Holding)>,
}

impl Update<'_, '_> {
    fn all(&mut self, payload: &TokenOperationsPayload) -> Result<Vec<plt::TokenEvent>, Reason> {
        let Ok(operations) = payload.decode_operations() else {
            return Err(self.reject(reject::malformed("the operations are not valid CBOR")));
        };
        let mut events = Vec::with_capacity(operations.operations.len());
        for (index, operation) in operations.operations.iter().enumerate() {
            let Upward::Known(operation) = operation else {
                return Err(self.reject(reject::malformed("an operation is not known")));
            };
            self.run.meter.charge(energy::of_operation(operation))?;
            let event = self.one(index, operation).map_err(|failure| self.reject(failure))?;
            let token_id = Some(self.id());
            events.push(plt::TokenEvent { token_id, event: Some(event) });
        }
        Ok(events)
    }

    fn one(&mut self, index: usize, operation: &TokenOperation) -> Result<Event, reject::Failure> {
        match operation {
            TokenOperation::Transfer(transfer) => self.transfer(index, transfer),
            TokenOperation::Mint(details) => self.supply(index, details.amount, true),
            TokenOperation::Burn(details) => self.supply(index, details.amount, false),
            TokenOperation::Pause(_) => self.pause(index, true),
            TokenOperation::Unpause(_) => self.pause(index, false),
            TokenOperation::AddAllowList(of) => {
                self.list(index, ("addAllowList", of), |held| held.is_allowed = true)
            }
            TokenOperation::RemoveAllowList(of) => {
                self.list(index, ("removeAllowList", of), |held| held.is_allowed = false)
            }
            TokenOperation::AddDenyList(of) => {
                self.list(index, ("addDenyList", of), |held| held.is_denied = true)
            }
            TokenOperation::RemoveDenyList(of) => {
                self.list(index, ("removeDenyList", of), |held| held.is_denied = false)
            }
        }
    }

    fn transfer(&mut self, index: usize, to: &TokenTransfer) -> Result<Event, reject::Failure> {
        let units = self.units(to.amount)?;
        if self.run.ledger.token(self.token).state.latest().paused {
            return Err(reject::not_permitted(index, None, "the token is paused"));
        }
        let Some(receiver) = self.run.ledger.find(&to.recipient.address) else {
            return Err(reject::no_account(index, to.recipient.clone()));
        };
        self.must_be_let(index, self.run.sender, &self.sender())?;
        self.must_be_let(index, receiver, &to.recipient)?;
        self.debit(index, units)?;
        let held = self.held(receiver);
        self.set(receiver, Holding { units: held.units + units, ..held });
        Ok(Event::TransferEvent(plt::TokenTransferEvent {
            from: Some(holder(&self.run.sender_address)),
            to: Some(holder(&to.recipient.address)),
            amount: Some(self.amount(units)),
            memo: to.memo.as_ref().map(memo),
        }))
    }

    fn supply(
        &mut self,
        index: usize,
        amount: TokenAmount,
        mint: bool,
    ) -> Result<Event, reject::Failure> {
        let units = self.units(amount)?;
        self.governed(index)?;
        let supply = self.run.ledger.token(self.token).state.latest().supply;
        let supply = if mint {
            let token = self.run.ledger.token(self.token);
            let overflow = || reject::overflow(index, token.amount(units), token.amount(supply));
            let supply = supply.checked_add(units).ok_or_else(overflow)?;
            let held = self.held(self.run.sender);
            self.set(self.run.sender, Holding { units: held.units + units, ..held });
            supply
        } else {
            self.debit(index, units)?;
            supply - units
        };
        self.run.ledger.edit_token(self.token, self.run.height).supply = supply;
        let target = Some(holder(&self.run.sender_address));
        let event = plt::TokenSupplyUpdateEvent { target, amount: Some(self.amount(units)) };
        Ok(if mint { Event::MintEvent(event) } else { Event::BurnEvent(event) })
    }

    fn pause(&mut self, index: usize, paused: bool) -> Result<Event, reject::Failure> {
        self.governed(index)?;
        self.run.ledger.edit_token(self.token, self.run.height).paused = paused;
        let kind = if paused { "pause" } else { "unpause" };
        // 0xa0 is the empty map in CBOR.
        let details = Some(plt::Cbor { value: vec![0xa0] });
        Ok(Event::ModuleEvent(plt::TokenModuleEvent { r#type: kind.to_owned(), details }))
    }

    fn list(
        &mut self,
        index: usize,
        (kind, of): (&str, &TokenListUpdateDetails),
        change: impl FnOnce(&mut Holding),
    ) -> Result<Event, reject::Failure> {
        if !self.run.ledger.token(self.token).has_lists {
            return Err(reject::unsupported(index, kind));
        }
        self.governed(index)?;
        let Some(account) = self.run.ledger.find(&of.target.address) else {
            return Err(reject::no_account(index, of.target.clone()));
        };
        let mut held = self.held(account);
        change(&mut held);
        self.set(account, held);
        let details = TokenListUpdateEventDetails { target: of.target.clone() };
        let details = cbor_encode(&details).expect("events of the SDK have a CBOR form");
        let details = Some(plt::Cbor { value: details });
        Ok(Event::ModuleEvent(plt::TokenModuleEvent { r#type: kind.to_owned(), details }))
    }

    fn governed(&self, index: usize) -> Result<(), reject::Failure> {
        if self.run.sender == GOVERNANCE {
            return Ok(());
        }
        let sender = Some(self.sender());
        Err(reject::not_permitted(index, sender, "the sender does not govern the token"))
    }

    fn must_be_let(
        &self,
        index: usize,
        account: AccountIx,
        name: &CborHolderAccount,
    ) -> Result<(), reject::Failure> {
        if self.run.ledger.token(self.token).lets(&self.held(account)) {
            return Ok(());
        }
        Err(reject::not_permitted(index, Some(name.clone()), "the token's lists forbid it"))
    }

    fn sender(&self) -> CborHolderAccount {
        CborHolderAccount { coin_info: None, address: self.run.sender_address }
    }

    fn debit(&mut self, index: usize, units: u64) -> Result<(), reject::Failure> {
        let held = self.held(self.run.sender);
        let Some(rest) = held.units.checked_sub(units) else {
            let token = self.run.ledger.token(self.token);
            let (held, units) = (token.amount(held.units), token.amount(units));
            return Err(reject::insufficient(index, held, units));
        };
        self.set(self.run.sender, Holding { units: rest, ..held });
        Ok(())
    }

    fn units(&self, amount: TokenAmount) -> Result<u64, reject::Failure> {
        if amount.decimals() == self.run.ledger.token(self.token).decimals {
            return Ok(amount.value());
        }
        Err(reject::malformed("the amount has another number of decimals than the token"))
    }

    fn held(&self, account: AccountIx) -> Holding {
        self.run.ledger.latest(account).tokens.get(&self.token).copied().unwrap_or_default()
    }

    fn set(&mut self, account: AccountIx, held: Holding) {
        self.undo.push((account, self.held(account)));
        self.run.ledger.edit(account, self.run.height).tokens.insert(self.token, held);
    }

    fn take_back(&mut self) {
        for (account, held) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.run.ledger.edit(account, self.run.height).tokens.insert(self.token, held);
        }
        *self.run.ledger.edit_token(self.token, self.run.height) = self.before.clone();
    }

    fn reject(&self, failure: reject::Failure) -> Reason {
        failure.into_reason(self.id())
    }

    fn id(&self) -> plt::TokenId {
        plt::TokenId { value: self.run.ledger.token(self.token).id.as_ref().to_owned() }
    }

    fn amount(&self, units: u64) -> plt::TokenAmount {
        let decimals = u32::from(self.run.ledger.token(self.token).decimals);
        plt::TokenAmount { value: units, decimals }
    }
}

fn holder(address: &AccountAddress) -> plt::TokenHolder {
    let address = generated::AccountAddress::from(address);
    plt::TokenHolder { address: Some(token_holder::Address::Account(address)) }
}

fn memo(memo: &CborMemo) -> Memo {
    match memo {
        CborMemo::Raw(memo) | CborMemo::Cbor(memo) => memo.into(),
    }
}
