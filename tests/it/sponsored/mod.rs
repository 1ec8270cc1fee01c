//! Sponsored payments through HTTP, from the payer's signature to the block.

mod kit;
mod settle;
