//! The gate over real HTTP: a scripted facilitator on one side, real servers on the other.

#![expect(clippy::unwrap_used, reason = "tests stop where something is not as it should be")]

mod discovery;
mod flows;
mod kit;
mod offers;
mod page;
mod paths;
mod prices;
mod proxying;
mod refusals;
mod sponsors;
mod upstreams;
