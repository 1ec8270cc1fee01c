//! Sends webhooks: signed as the Standard Webhooks specification says, and only to where they may go.
//!
//! When what is sent is decided in `app`; this is the adapter of its port.

pub mod error;
pub mod guard;
pub mod resolver;
pub mod sender;

#[cfg(test)]
mod tests;
