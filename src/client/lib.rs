//! The client's side of x402: the facilitator's HTTP client, and the payer that answers a 402.
//!
//! Neither knows the chain. The payer asks a wallet ([`payer::wallet::Wallet`]) for everything that
//! needs keys or a node; what a payment must be is said in `domain`.

pub mod facilitator;
pub mod http;
pub mod payer;
pub mod retry;
