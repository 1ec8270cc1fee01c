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
use crate::state::{Account, AccountIx, AccountState, Ledger};

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
        creds: HashMap::from([(0, credential(&account.credential))]),
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
    let no_lists = cbor_encode(&TokenModuleAccountState::default()).unwrap_or_default();
    let token = |(ix, units): (&crate::state::TokenIx, &u64)| {
        let token = ledger.token(*ix);
        let balance = plt::TokenAmount { value: *units, decimals: u32::from(token.decimals) };
        account_info::Token {
            token_id: Some(plt::TokenId { value: token.id.as_ref().to_owned() }),
            token_account_state: Some(plt::TokenAccountState {
                balance: Some(balance),
                module_state: Some(plt::Cbor { value: no_lists.clone() }),
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
