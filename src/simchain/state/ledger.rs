//! All accounts and tokens, found by what queries and transactions name them by. Changes are made
//! in the block under construction and can be taken back until the block is final.

use std::collections::HashMap;

use concordium_rust_sdk::{
    base::{contracts_common::AccountAddress, id::constants::ArCurve},
    common::to_bytes,
};

use super::{
    account::{Account, AccountIx, AccountState, Credential},
    token::{Token, TokenIx, TokenState},
};

/// Bytes of an address that all aliases of an account share.
const ALIAS_PREFIX: usize = 29;

/// A new account: its address and credential, and what it holds.
pub(crate) struct Opening {
    pub(crate) address: AccountAddress,
    pub(crate) credential: Credential,
    pub(crate) state: AccountState,
}

/// Accounts and tokens with their history.
#[derive(Default)]
pub(crate) struct Ledger {
    accounts: Vec<Account>,
    by_address: HashMap<[u8; ALIAS_PREFIX], AccountIx>,
    by_credential: HashMap<Vec<u8>, AccountIx>,
    tokens: Vec<Token>,
    /// Accounts changed by blocks that are not final, in order of height.
    touched: Vec<(u64, AccountIx)>,
}

impl Ledger {
    pub(crate) fn open(&mut self, opening: Opening, height: u64) -> AccountIx {
        let ix = AccountIx(self.accounts.len());
        self.by_address.insert(prefix(&opening.address), ix);
        self.by_credential.insert(to_bytes(opening.credential.cred_id()), ix);
        self.touched.push((height, ix));
        let Opening { address, credential, state } = opening;
        self.accounts.push(Account::new(address, credential, height, state));
        ix
    }

    pub(crate) fn add_token(&mut self, token: Token) -> TokenIx {
        self.tokens.push(token);
        TokenIx(self.tokens.len() - 1)
    }

    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) fn account(&self, ix: AccountIx) -> &Account {
        &self.accounts[ix.0]
    }

    pub(crate) fn latest(&self, ix: AccountIx) -> &AccountState {
        self.accounts[ix.0].state.latest()
    }

    /// The account's state, to be changed in the block of this height.
    pub(crate) fn edit(&mut self, ix: AccountIx, height: u64) -> &mut AccountState {
        let (state, first) = self.accounts[ix.0].state.edit(height);
        if first {
            self.touched.push((height, ix));
        }
        state
    }

    /// The account that the address, or any alias of it, names.
    pub(crate) fn find(&self, address: &AccountAddress) -> Option<AccountIx> {
        self.by_address.get(&prefix(address)).copied()
    }

    pub(crate) fn find_credential(&self, id: &ArCurve) -> Option<AccountIx> {
        self.by_credential.get(&to_bytes(id)).copied()
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(crate) fn token(&self, ix: TokenIx) -> &Token {
        &self.tokens[ix.0]
    }

    pub(crate) fn edit_token(&mut self, ix: TokenIx, height: u64) -> &mut TokenState {
        self.tokens[ix.0].state.edit(height).0
    }

    /// The token of this id, in whatever case it is written.
    pub(crate) fn find_token(&self, id: &str) -> Option<TokenIx> {
        self.tokens.iter().position(|t| t.id.as_ref().eq_ignore_ascii_case(id)).map(TokenIx)
    }

    /// Blocks up to `height` can no longer be taken back.
    pub(crate) fn settle(&mut self, height: u64) {
        let kept = self.touched.partition_point(|(at, _)| *at <= height);
        self.touched.drain(..kept);
    }

    /// Takes back what blocks above `height` did.
    pub(crate) fn revert(&mut self, height: u64) {
        let mut oldest = self.accounts.len();
        while let Some((_, ix)) = self.touched.pop_if(|(at, _)| *at > height) {
            if !self.accounts[ix.0].state.revert(height) {
                oldest = oldest.min(ix.0);
            }
        }
        // Accounts are created in the order of heights: all from the oldest on are undone.
        for account in self.accounts.drain(oldest..) {
            self.by_address.remove(&prefix(&account.address));
            self.by_credential.remove(&to_bytes(account.credential.cred_id()));
        }
        for token in &mut self.tokens {
            token.state.revert(height);
        }
    }
}

fn prefix(address: &AccountAddress) -> [u8; ALIAS_PREFIX] {
    address.0[..ALIAS_PREFIX].try_into().expect("an address has 32 bytes")
}
