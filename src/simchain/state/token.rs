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
    /// Whether it keeps an allow list and a deny list.
    pub(crate) has_lists: bool,
}

/// What an account has of a token, and on which of its lists it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holding {
    /// Smallest units.
    pub(crate) units: u64,
    pub(crate) is_allowed: bool,
    pub(crate) is_denied: bool,
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
    pub(crate) has_lists: bool,
    pub(crate) state: Versions<TokenState>,
}

impl Token {
    pub(crate) fn new(spec: &TokenSpec) -> Self {
        let id = spec.id.to_owned().try_into().expect("ids of genesis tokens are valid");
        let state = TokenState { supply: spec.units(), paused: false };
        Self {
            id,
            name: spec.name,
            decimals: spec.decimals,
            has_lists: spec.has_lists,
            state: Versions::new(0, state),
        }
    }

    /// Whether its lists let an account send and receive.
    pub(crate) fn lets(&self, holding: &Holding) -> bool {
        !self.has_lists || (holding.is_allowed && !holding.is_denied)
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
