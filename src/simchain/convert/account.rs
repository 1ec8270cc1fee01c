//! Accounts as GetAccountInfo shows them.

use std::collections::HashMap;

use concordium_rust_sdk::{
    base::{id::constants::ArCurve, protocol_level_tokens::TokenModuleAccountState},
    common::{cbor::cbor_encode, to_bytes},
    v2::generated::{
        self, AccountInfo, EncryptedBalance, EncryptionKey, ReleaseSchedule, account_info, plt,
    },
};

use super::{amount, credential::credential};
use crate::state::{Account, AccountIx, AccountState, Holding, Ledger, TokenIx};

/// Bytes of an encrypted amount: four points of the curve.
const ENCRYPTED_AMOUNT_BYTES: usize = 4 * 48;

/// The account `ix` in the state that it had after some block.
pub(crate) fn account_info(
    ledger: &Ledger,
    ix: AccountIx,
    state: &AccountState,
    generator: &ArCurve,
) -> AccountInfo {
    let account = ledger.account(ix);
    let schedule = ReleaseSchedule { total: amount(0), schedules: Vec::new() };
    AccountInfo {
        sequence_number: Some(generated::SequenceNumber { value: state.sequence }),
        amount: amount(state.balance),
        schedule: Some(schedule),
        creds: HashMap::from([(0, credential(&account.credential, state.keys.as_deref()))]),
        threshold: Some(generated::AccountThreshold { value: 1 }),
        encrypted_balance: Some(no_encrypted_balance()),
        encryption_key: Some(encryption_key(account, generator)),
        index: Some(generated::AccountIndex { value: ix.0 as u64 }),
        stake: None,
        address: Some(account.address.into()),
        cooldowns: Vec::new(),
        available_balance: amount(state.balance),
        tokens: tokens(ledger, state),
    }
}

fn tokens(ledger: &Ledger, state: &AccountState) -> Vec<account_info::Token> {
    let token = |(ix, holding): (&TokenIx, &Holding)| {
        let token = ledger.token(*ix);
        let decimals = u32::from(token.decimals);
        let balance = plt::TokenAmount { value: holding.units, decimals };
        let mut lists = TokenModuleAccountState::default();
        if token.has_lists {
            lists.allow_list = Some(holding.is_allowed);
            lists.deny_list = Some(holding.is_denied);
        }
        let lists = cbor_encode(&lists).expect("the state of a module has a CBOR form");
        account_info::Token {
            token_id: Some(plt::TokenId { value: token.id.as_ref().to_owned() }),
            token_account_state: Some(plt::TokenAccountState {
                balance: Some(balance),
                module_state: Some(plt::Cbor { value: lists }),
            }),
        }
    };
    state.tokens.iter().map(token).collect()
}

/// The encryption of zero with no randomness: four times the neutral point.
fn no_encrypted_balance() -> EncryptedBalance {
    let mut zero = vec![0; ENCRYPTED_AMOUNT_BYTES];
    for point in zero.chunks_exact_mut(48) {
        point[0] = 0xc0;
    }
    EncryptedBalance {
        self_amount: Some(generated::EncryptedAmount { value: zero }),
        start_index: 0,
        aggregated_amount: None,
        num_aggregated: None,
        incoming_amounts: Vec::new(),
    }
}

/// An ElGamal key whose point is the registration id, on the chain's generator.
fn encryption_key(account: &Account, generator: &ArCurve) -> EncryptionKey {
    let mut value = to_bytes(generator);
    value.extend(to_bytes(account.credential.cred_id()));
    EncryptionKey { value }
}
