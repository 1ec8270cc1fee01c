//! What the chain says of one token now: whether transfers are refused, and which lists it keeps.
//!
//! What never changes of a token is remembered in `parameters`; this is not.

use ccd402_domain::{asset::Asset, sponsored::preflight::TokenState};
use concordium_rust_sdk::{
    base::protocol_level_tokens::TokenId, protocol_level_tokens::TokenInfo, v2::BlockIdentifier,
};

use crate::{
    error::{Error, Failure},
    nodes::Nodes,
};

/// Asks for a token by its id in any case; none if there is none.
pub(crate) async fn ask(nodes: &Nodes, id: &str) -> Result<Option<TokenState>, Error> {
    ask_at(nodes, id, BlockIdentifier::LastFinal).await
}

/// As [`ask`], as of a block; none also where the node has no such block.
pub(crate) async fn ask_at(
    nodes: &Nodes,
    id: &str,
    block: BlockIdentifier,
) -> Result<Option<TokenState>, Error> {
    let Ok(id) = id.parse::<TokenId>() else { return Ok(None) };
    let asked = nodes.ask("GetTokenInfo", |mut client| {
        let id = id.clone();
        async move { Ok(client.get_token_info(id, block).await?.response) }
    });
    match asked.await {
        Ok(info) => read(&info).map(Some),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure.into_error("a token")),
    }
}

/// Reads the SDK's answer. What a token's module does not say, it does not do.
fn read(info: &TokenInfo) -> Result<TokenState, Error> {
    let id = info.token_id.as_ref().to_owned();
    let module = info.token_state.decode_module_state().map_err(|_| {
        Error::NotUnderstood(format!("the state of token {id} is newer than this program"))
    })?;
    Ok(TokenState {
        id: Asset::Token(id),
        decimals: info.token_state.decimals,
        is_paused: module.paused == Some(true),
        has_allow_list: module.allow_list == Some(true),
        has_deny_list: module.deny_list == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use concordium_rust_sdk::{
        base::{
            common::cbor::cbor_encode,
            protocol_level_tokens::{RawCbor, TokenAmount, TokenModuleState},
        },
        protocol_level_tokens::TokenState as SdkTokenState,
    };

    use super::*;

    fn state(module_state: Vec<u8>) -> Result<TokenState, Error> {
        read(&TokenInfo {
            token_id: "EURR".parse().unwrap(),
            token_state: SdkTokenState {
                token_module_ref: [0; 32].into(),
                decimals: 6,
                total_supply: TokenAmount::from_raw(1, 6),
                module_state: RawCbor::from(module_state),
            },
        })
    }

    #[test]
    fn pause_and_lists_are_those_of_the_module() {
        let nothing = TokenModuleState {
            name: None,
            metadata: None,
            governance_account: None,
            allow_list: None,
            deny_list: None,
            mintable: None,
            burnable: None,
            paused: None,
            additional: Default::default(),
        };
        let told = state(cbor_encode(&nothing).unwrap()).unwrap();
        assert_eq!((told.decimals, told.id), (6, Asset::Token("EURR".to_owned())));
        assert!(!told.is_paused && !told.has_allow_list && !told.has_deny_list);
        let all = TokenModuleState {
            allow_list: Some(true),
            deny_list: Some(true),
            paused: Some(true),
            ..nothing
        };
        let told = state(cbor_encode(&all).unwrap()).unwrap();
        assert!(told.is_paused && told.has_allow_list && told.has_deny_list);
    }

    #[test]
    fn a_state_that_cannot_be_read_is_not_guessed() {
        assert!(matches!(state(vec![0xff]), Err(Error::NotUnderstood(_))));
    }
}
