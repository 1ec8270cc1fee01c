//! The Webhook: whom to tell of a tenant's verifications, and what became of telling them.
//!
//! Its secrets are not here: they are derived from a key that no event holds.

pub mod command;
pub mod decide;
pub mod delivery;
pub mod event;
pub mod state;
pub mod transition;

#[cfg(test)]
pub(crate) mod tests;
