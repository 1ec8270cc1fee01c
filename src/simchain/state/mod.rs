//! What the chain knows at each height: accounts and tokens. It executes nothing.

mod account;
mod ledger;
mod token;
mod versions;

pub(crate) use account::{Account, AccountIx, AccountState, Credential};
pub(crate) use ledger::{Ledger, Opening};
pub(crate) use token::{Holding, Token, TokenIx, TokenSpec, TokenState};
