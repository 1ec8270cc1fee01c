//! What the chain knows at each height: accounts and tokens. It checks nothing and executes nothing.

mod account;
mod ledger;
mod token;
mod versions;

pub(crate) use account::{Account, AccountIx, AccountState, Credential};
pub(crate) use ledger::{Ledger, Opening};
pub(crate) use token::{Token, TokenIx, TokenSpec, TokenState};
