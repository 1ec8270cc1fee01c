//! A sponsored payment: the payer hands in a signed transfer, and the facilitator pays its fee and
//! sends it. The scheme's nine rules, what the chain must allow, and what must have come of it.
//!
//! Rule 1 (the version, and that it can be read) and rule 2 (the sender is an account) hold for
//! every [`transaction::Transaction`]: whoever reads one applies them. Signatures are checked
//! elsewhere; the rules get the result.

pub mod energy;
pub mod holds;
pub mod offer;
pub mod payment;
pub mod preflight;
pub mod rules;
#[cfg(test)]
pub(crate) mod sample;
pub mod settled;
pub mod transaction;
