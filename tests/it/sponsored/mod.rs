//! Sponsored payments through HTTP, from the payer's signature to the block.

mod crash;
mod flights;
mod kit;
mod pay;
mod rules;
mod settle;
mod shop;
mod sponsors;
