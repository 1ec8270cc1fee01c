//! The only facilitator crate that names concordium-rust-sdk: nodes, follower, identity proofs, wallets.

pub mod wallet;
