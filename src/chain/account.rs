//! What the chain says of one account, in one answer: its keys and thresholds, its next sequence
//! number, and what it holds. A value that may be kept for as long as no block names the account.
//!
//! Keeping it, and deciding anything by it, is done elsewhere.

use std::sync::Arc;

use ccd402_domain::{
    account::AccountAddress,
    amount::Amount,
    asset::Asset,
    sponsored::preflight::{AccountState, TokenHeld},
};
use concordium_rust_sdk::{
    base::{
        common::types::TransactionSignature,
        hashes::TransactionSignHash,
        transactions::{AccountAccessStructure, verify_signature_transaction_sign_hash},
    },
    protocol_level_tokens::AccountToken,
    types::AccountInfo,
    v2::{AccountIdentifier, BlockIdentifier, Upward},
};

use crate::{
    codec,
    error::{Error, Failure},
    nodes::Nodes,
};

/// An account, as of a finalized block.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its address; it has 2^24 aliases.
    pub address: AccountAddress,
    /// What it may spend, and the number of its next transaction.
    pub state: Arc<AccountState>,
    keys: AccountAccessStructure,
}

impl Account {
    /// Reads the SDK's answer.
    ///
    /// # Errors
    /// `NotUnderstood` where it has a credential newer than this program.
    pub(crate) fn read(info: &AccountInfo) -> Result<Self, Error> {
        let address = codec::address(&info.account_address);
        let Upward::Known(keys) = Upward::<AccountAccessStructure>::from(info) else {
            let text = format!("a credential of {address} is newer than this program: upgrade it");
            return Err(Error::NotUnderstood(text));
        };
        let state = Arc::new(AccountState {
            next_sequence_number: info.account_nonce.nonce,
            available: Amount::from_units(info.available_balance.micro_ccd),
            tokens: info.tokens.iter().map(held).collect(),
        });
        Ok(Self { address, state, keys })
    }

    /// An account that has these keys and nothing else.
    #[cfg(test)]
    pub(crate) fn with_keys(address: AccountAddress, keys: AccountAccessStructure) -> Self {
        let available = Amount::from_units(0);
        let state = AccountState { next_sequence_number: 1, available, tokens: Vec::new() };
        Self { address, state: Arc::new(state), keys }
    }

    /// Whether the account has signed: every signature holds, and there are as many as its
    /// thresholds demand.
    pub(crate) fn has_signed(
        &self,
        hash: &TransactionSignHash,
        signature: &TransactionSignature,
    ) -> bool {
        verify_signature_transaction_sign_hash(&self.keys, hash, signature)
    }
}

/// Asks for an account; none if there is none.
pub(crate) async fn ask(nodes: &Nodes, address: &AccountAddress) -> Result<Option<Account>, Error> {
    ask_at(nodes, address, BlockIdentifier::LastFinal).await
}

/// Asks for an account as of a block; none if there is none, or no such block on the node.
pub(crate) async fn ask_at(
    nodes: &Nodes,
    address: &AccountAddress,
    block: BlockIdentifier,
) -> Result<Option<Account>, Error> {
    let account = AccountIdentifier::Address(codec::sdk_address(address));
    let asked = nodes.ask("GetAccountInfo", |mut client| async move {
        Ok(client.get_account_info(&account, block).await?.response)
    });
    match asked.await {
        Ok(info) => Account::read(&info).map(Some),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure.into_error("an account")),
    }
}

/// What the account has to do with a token. Marks that cannot be read say the worst: not allowed,
/// denied; other tokens, and CCD, are none the worse for it.
fn held(token: &AccountToken) -> TokenHeld {
    let marks = token.state.decode_module_state().ok();
    TokenHeld {
        token: Asset::Token(token.token_id.as_ref().to_owned()),
        balance: Amount::from_units(token.state.balance.value()),
        is_allowed: marks.as_ref().is_some_and(|marks| marks.allow_list == Some(true)),
        is_denied: marks.is_none_or(|marks| marks.deny_list == Some(true)),
    }
}

#[cfg(test)]
mod tests {
    use concordium_rust_sdk::{
        base::{
            common::cbor::cbor_encode,
            protocol_level_tokens::{RawCbor, TokenAmount, TokenModuleAccountState},
        },
        protocol_level_tokens::TokenAccountState,
    };

    use super::*;

    fn marks(module_state: Option<RawCbor>) -> (bool, bool) {
        let balance = TokenAmount::from_raw(5, 2);
        let state = TokenAccountState { balance, module_state };
        let held = held(&AccountToken { token_id: "EURR".parse().unwrap(), state });
        assert_eq!(held.balance.units(), 5);
        assert_eq!(held.token, Asset::Token("eurr".to_owned()));
        (held.is_allowed, held.is_denied)
    }

    #[test]
    fn the_lists_of_a_token_mark_accounts() {
        let listed = |allow_list, deny_list| {
            let state = TokenModuleAccountState { allow_list, deny_list, ..Default::default() };
            marks(Some(RawCbor::from(cbor_encode(&state).unwrap())))
        };
        assert_eq!(listed(None, None), (false, false));
        assert_eq!(listed(Some(true), Some(false)), (true, false));
        assert_eq!(listed(Some(false), Some(true)), (false, true));
        assert_eq!(marks(None), (false, false));
    }

    #[test]
    fn marks_that_cannot_be_read_say_the_worst() {
        assert_eq!(marks(Some(RawCbor::from(vec![0xff]))), (false, true));
    }
}
