//! The log and the chain, compared: nothing to say where they agree, everything where they do not.

use ccd402_app::contract::payments::{Handed, block, block_ref};
use ccd402_app::contract::scripted::Blocks;
use ccd402_app::ports::chain::FinalizedBlock;
use ccd402_app::reconcile::{Compared, Difference, Reconciled};
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::BlockHash;
use ccd402_domain::transaction::Outcome;
use chrono::TimeDelta;

use crate::support::{Bench, FIRST, NEXT};

/// A block whose time is long after the first ones.
const MUCH_LATER: u64 = FIRST + 1_300;

/// What the next reading of blocks yields.
fn reads(bench: &Bench, items: Vec<FinalizedBlock>) {
    bench.chain.push_blocks(Blocks { items: items.into_iter().map(Ok).collect(), ends: false });
}

/// Blocks of these heights, of which one pays.
fn blocks(from: u64, to: u64, paid: Option<(u64, &Handed)>) -> Vec<FinalizedBlock> {
    let at = |height| match paid {
        Some((pays, handed)) if pays == height => block(height, &[handed]),
        _ => block(height, &[]),
    };
    (from..=to).map(at).collect()
}

async fn follow_to(bench: &Bench, from: u64, to: u64) {
    for height in from..=to {
        let before = Some(block_ref(height - 1));
        bench.facilitator.follow(&block(height, &[]), before).await.unwrap();
    }
}

/// One confirmation, compared with this block of the chain's.
async fn compared_with(found: FinalizedBlock) -> Vec<Difference> {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    reads(&bench, vec![found]);
    reads(&bench, vec![block(FIRST, &[])]);
    let reconciled = bench.facilitator.reconcile(Compared::default()).await.unwrap();
    assert!(reconciled.compared.position > 0);
    reconciled.differences
}

#[tokio::test(start_paused = true)]
async fn what_agrees_is_not_told() {
    assert_eq!(compared_with(block(NEXT, &[&Handed::by(1)])).await, []);
}

#[tokio::test(start_paused = true)]
async fn each_confirmation_is_looked_for_in_its_block() {
    let handed = Handed::by(1);
    let mut other = block(NEXT, &[&handed]);
    other.block.hash = BlockHash::from_bytes([7; 32]);
    let mut less = block(NEXT, &[&handed]);
    if let Outcome::Transfer(transfer) = &mut less.transactions[0].outcome {
        transfer.amount = Amount::from_units(1);
    }
    let rows = [
        (other, "other_block"),
        (block(NEXT, &[]), "not_in_block"),
        (block(NEXT, &[&Handed::by(2)]), "not_in_block"),
        (less, "not_the_payment"),
    ];
    for (found, kind) in rows {
        let differences = compared_with(found).await;
        let kinds: Vec<_> = differences.iter().map(Difference::kind).collect();
        assert_eq!(kinds, [kind]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_follower_missed_is_told_and_decided() {
    let bench = Bench::new().await;
    let missed = Handed::by(1);
    let id = bench.submit(&missed).await;
    follow_to(&bench, NEXT, MUCH_LATER).await;
    bench.clock.advance(TimeDelta::hours(1));
    reads(&bench, blocks(FIRST, MUCH_LATER, Some((100, &missed))));
    let first = bench.facilitator.reconcile(Compared::default()).await.unwrap();
    assert_eq!(first.differences, [Difference::Missed(id)]);
    assert_eq!(bench.outcome(id).await, Some(Ok(())));
    assert!(first.is_more, "a pass is bounded");

    // Its confirmation is new in the log; the rest of the blocks is new for the comparison.
    reads(&bench, vec![block(100, &[&missed])]);
    reads(&bench, blocks(first.compared.height + 1, MUCH_LATER, None));
    let second = bench.facilitator.reconcile(first.compared).await.unwrap();
    assert_eq!(second.differences, []);
    assert!(!second.is_more && second.compared.height > first.compared.height);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_in_just_now_has_its_time() {
    let bench = Bench::new().await;
    follow_to(&bench, NEXT, MUCH_LATER).await;
    let late = Handed::by(1);
    let id = bench.submit(&late).await;
    reads(&bench, blocks(FIRST, MUCH_LATER, Some((100, &late))));
    let Reconciled { differences, .. } =
        bench.facilitator.reconcile(Compared::default()).await.unwrap();
    assert_eq!(differences, []);
    assert_eq!(bench.outcome(id).await, None, "a job of its own resolves it");
}

#[tokio::test(start_paused = true)]
async fn without_a_node_nothing_counts_as_compared() {
    let bench = Bench::new().await;
    let handed = Handed::by(1);
    bench.submit(&handed).await;
    bench.finalize(&[&handed]).await;
    bench.chain.set_unavailable(true);
    assert!(bench.facilitator.reconcile(Compared::default()).await.is_err());
}
