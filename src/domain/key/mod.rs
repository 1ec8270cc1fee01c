//! API keys: who may call, as whom, for what and how often. Counting calls is not done here, and no
//! event holds a secret.

pub mod command;
pub mod decide;
pub mod event;
pub mod scope;
pub mod state;
pub mod text;

#[cfg(test)]
pub(crate) mod tests;
