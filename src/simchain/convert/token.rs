//! Tokens as GetTokenInfo shows them.

use std::collections::HashMap;

use concordium_rust_sdk::{
    base::protocol_level_tokens::{CborHolderAccount, CoinInfo, MetadataUrl, TokenModuleState},
    common::cbor::cbor_encode,
    v2::generated::{TokenInfo, plt},
};
use sha2::{Digest, Sha256};

use crate::{
    genesis::GOVERNANCE,
    state::{Ledger, TokenIx, TokenState},
};

/// The token in the state that it had after some block.
pub(crate) fn token_info(ledger: &Ledger, ix: TokenIx, state: &TokenState) -> TokenInfo {
    let token = ledger.token(ix);
    let id = token.id.as_ref();
    let governance = ledger.account(GOVERNANCE).address;
    let module = TokenModuleState {
        name: Some(token.name.to_owned()),
        metadata: Some(MetadataUrl {
            url: format!("https://example.com/{id}.json"),
            checksum_sha_256: None,
            additional: HashMap::new(),
        }),
        governance_account: Some(CborHolderAccount {
            coin_info: Some(CoinInfo::CCD),
            address: governance,
        }),
        allow_list: Some(token.has_lists),
        deny_list: Some(token.has_lists),
        mintable: Some(true),
        burnable: Some(true),
        paused: Some(state.paused),
        additional: HashMap::new(),
    };
    let decimals = u32::from(token.decimals);
    let module_state = cbor_encode(&module).expect("the state of a module has a CBOR form");
    TokenInfo {
        token_id: Some(plt::TokenId { value: id.to_owned() }),
        token_state: Some(plt::TokenState {
            token_module_ref: Some(plt::TokenModuleRef {
                value: Sha256::digest(b"ccd402/simchain/token-module/v1").to_vec(),
            }),
            decimals,
            total_supply: Some(plt::TokenAmount { value: state.supply, decimals }),
            module_state: Some(plt::Cbor { value: module_state }),
        }),
    }
}
