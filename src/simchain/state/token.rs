//! Protocol-level tokens: made at genesis, governed by one account.

use concordium_rust_sdk::protocol_level_tokens::{TokenAmount, TokenId};

use super::versions::Versions;

/// Position of a token in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TokenIx(pub(crate) usize);

/// A token of genesis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenSpec {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) decimals: u8,
    /// Whole tokens that the governance account holds at genesis.
    pub(crate) supply: u64,
}

/// What blocks change about a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenState {
    /// Smallest units in existence.
    pub(crate) supply: u64,
    /// Whether transfers are refused for now.
    pub(crate) paused: bool,
}

/// A token with its history.
pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) name: &'static str,
    pub(crate) decimals: u8,
    pub(crate) state: Versions<TokenState>,
}

impl Token {
    pub(crate) fn new(spec: &TokenSpec) -> Self {
        let id = spec.id.to_owned().try_into().expect("ids of genesis tokens are valid");
        let state = TokenState { supply: spec.units(), paused: false };
        Self { id, name: spec.name, decimals: spec.decimals, state: Versions::new(0, state) }
    }

    pub(crate) fn amount(&self, units: u64) -> TokenAmount {
        TokenAmount::from_raw(units, self.decimals)
    }
}

impl TokenSpec {
    /// The supply in smallest units.
    pub(crate) fn units(&self) -> u64 {
        self.supply * 10u64.pow(u32::from(self.decimals))
    }
}
