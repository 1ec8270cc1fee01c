//! A process that is killed at a random moment loses nothing that it acknowledged.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

mod child;

use child::{Appending, check};

const ROUNDS: u64 = 10;
/// The moment of the kill, counted in acknowledged appends.
const ACKNOWLEDGED_MAX: u64 = 1_500;

#[test]
fn child() {
    child::run_if_asked();
}

#[test]
fn nothing_acknowledged_is_lost_by_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let moment = RandomState::new().hash_one(round) % ACKNOWLEDGED_MAX + 1;
        let mut child = Appending::start(dir.path(), round);
        all.extend(child.wait_for(usize::try_from(moment).unwrap()));
        child.process.kill().unwrap();
        all.extend(child.rest());
        let end = check(dir.path(), &all);
        println!("round {round}: {} acknowledged, the log ends at {end}", all.len());
        assert!(end >= all.len() as u64);
    }
}
