//! The gate over real HTTP: a scripted facilitator on one side, real servers on the other.

mod kit;
mod offers;
mod paths;
mod proxying;
mod refusals;
mod upstreams;
