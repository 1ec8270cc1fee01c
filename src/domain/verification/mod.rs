//! The Verification: one payment that somebody handed in, from request to confirmed or failed, and
//! from there to used up.

pub mod command;
pub mod decide;
pub mod event;
pub mod state;

#[cfg(test)]
mod tests;
