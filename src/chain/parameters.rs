//! What the chain never changes, asked once: its cryptographic parameters, and the decimals of its
//! tokens. What changes is not kept here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use concordium_rust_sdk::{
    base::{
        id::{constants::ArCurve, types::GlobalContext},
        protocol_level_tokens::TokenId,
    },
    v2::BlockIdentifier,
};
use tokio::sync::OnceCell;

use crate::{
    error::{Error, Failure},
    nodes::Nodes,
};

/// Tokens that are remembered.
const TOKENS_MAX: usize = 1024;

/// A protocol-level token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its id as the chain spells it.
    pub(crate) id: TokenId,
    /// Decimals of its amounts.
    pub(crate) decimals: u8,
}

/// What has been asked so far.
pub(crate) struct Parameters {
    nodes: Nodes,
    cryptographic: OnceCell<Arc<GlobalContext<ArCurve>>>,
    tokens: Mutex<HashMap<String, Token>>,
}

impl Parameters {
    /// Nothing is known at first.
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { nodes, cryptographic: OnceCell::new(), tokens: Mutex::default() }
    }

    /// The parameters that proofs are made and checked with, if they were asked for before.
    pub(crate) fn known_cryptographic(&self) -> Option<Arc<GlobalContext<ArCurve>>> {
        self.cryptographic.get().cloned()
    }

    /// The parameters that proofs are made and checked with.
    pub(crate) async fn cryptographic(&self) -> Result<Arc<GlobalContext<ArCurve>>, Error> {
        let ask = || async {
            let asked = self.nodes.ask("GetCryptographicParameters", |mut client| async move {
                let last = BlockIdentifier::LastFinal;
                Ok(client.get_cryptographic_parameters(last).await?.response)
            });
            let answer = asked.await.map_err(|f| f.into_error("the cryptographic parameters"))?;
            Ok(Arc::new(answer))
        };
        self.cryptographic.get_or_try_init(ask).await.cloned()
    }

    /// A token by its id in any case, if there is one.
    pub(crate) async fn token(&self, id: &str) -> Result<Option<Token>, Error> {
        let key = id.to_ascii_lowercase();
        if let Some(known) = self.tokens().get(&key).cloned() {
            return Ok(Some(known));
        }
        let Ok(asked) = id.parse::<TokenId>() else { return Ok(None) };
        let info = self.nodes.ask("GetTokenInfo", |mut client| {
            let id = asked.clone();
            async move { Ok(client.get_token_info(id, BlockIdentifier::LastFinal).await?.response) }
        });
        let info = match info.await {
            Ok(info) => info,
            Err(Failure::NotFound) => return Ok(None),
            Err(failure) => return Err(failure.into_error("a token")),
        };
        let token = Token { id: info.token_id, decimals: info.token_state.decimals };
        let mut tokens = self.tokens();
        if tokens.len() < TOKENS_MAX {
            tokens.insert(key, token.clone());
        }
        Ok(Some(token))
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
