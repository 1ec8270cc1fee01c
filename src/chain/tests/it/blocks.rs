//! The stream of finalized blocks, whatever happens to it.

use std::pin::Pin;

use ccd402_app::ports::chain::{Chain, FinalizedBlock};
use ccd402_chain::{
    codec,
    concordium::Concordium,
    nodes::Nodes,
    payer::{Transfer, Wallet},
};
use ccd402_domain::{amount::Amount, ids::BlockHash};
use ccd402_simchain::{Fault, FaultKind, Handle};
use chrono::{TimeDelta, Utc};
use futures::{Stream, StreamExt};

use crate::support::*;

type Blocks = Pin<Box<dyn Stream<Item = FinalizedBlock> + Send>>;

async fn blocks(port: &Concordium, height: u64) -> Blocks {
    let blocks = port.blocks_from(height).await.unwrap();
    Box::pin(blocks.map(|block| block.unwrap()))
}

/// Bakes so many blocks, reads as many, and checks that each is the child of the one before and the
/// last is the last one baked.
async fn bake_and_read(
    chain: &Handle,
    blocks: &mut Blocks,
    mut last: FinalizedBlock,
    count: usize,
) -> FinalizedBlock {
    let tip = bake(chain, count);
    for _ in 0..count {
        let next = within("the next block", blocks.next()).await.unwrap();
        assert_eq!(next.block.height, last.block.height + 1);
        assert_eq!(next.parent, last.block.hash);
        last = next;
    }
    assert_eq!(Some(last.block.hash), tip);
    last
}

fn bake(chain: &Handle, count: usize) -> Option<BlockHash> {
    (0..count).fold(None, |_, _| Some(codec::block_hash(&chain.bake().unwrap())))
}

#[tokio::test]
async fn blocks_come_from_the_first_to_the_last_and_then_as_they_are_finalized() {
    let chain = chain().await;
    let last_baked = bake(&chain, 20);
    let port = port(&chain).await;
    let mut blocks = blocks(&port, 0).await;
    let mut last = within("the first block", blocks.next()).await.unwrap();
    assert_eq!(last.block.height, 0);
    while Some(last.block.hash) != last_baked {
        let next = within("the next block", blocks.next()).await.unwrap();
        assert_eq!((next.block.height, next.parent), (last.block.height + 1, last.block.hash));
        last = next;
    }
    assert_eq!(last.block, port.tip().await.unwrap());
    bake_and_read(&chain, &mut blocks, last, 3).await;
}

#[tokio::test]
async fn a_block_tells_the_transfers_in_it() {
    let chain = chain().await;
    let (payer, receiver): (Wallet, Wallet) = (wallet(&chain).await, wallet(&chain).await);
    let port = port(&chain).await;
    let height = port.tip().await.unwrap().height + 1;
    let mut blocks = blocks(&port, height).await;
    let order = Transfer {
        to: receiver.address(),
        asset: "EURR".parse().unwrap(),
        amount: Amount::from_units(3),
        memo: Some(digest(3)),
        expires_at: Utc::now() + TimeDelta::minutes(5),
    };
    let signed = payer.build_transfer(&order).await.unwrap();
    payer.send(&signed.bytes).await.unwrap();
    chain.bake().unwrap();
    let block = within("the block", blocks.next()).await.unwrap();
    assert_eq!(block.block.height, height);
    let hashes: Vec<_> = block.transactions.iter().map(|t| t.hash).collect();
    assert_eq!(hashes, [signed.hash]);
}

#[tokio::test]
async fn heights_stay_consecutive_through_every_fault_of_the_stream() {
    let faults = [
        (FaultKind::StallStreams, None),
        (FaultKind::DropStreams, None),
        (FaultKind::ResetStreams, None),
        (FaultKind::SkipNotifications, Some(3)),
        (FaultKind::SkipNotifications, None),
        (FaultKind::RestartSocket { down_ms: 200 }, None),
    ];
    let chain = chain().await;
    let port = port(&chain).await;
    let mut blocks = blocks(&port, 0).await;
    let mut last = within("the first block", blocks.next()).await.unwrap();
    for (kind, count) in faults {
        last = bake_and_read(&chain, &mut blocks, last, 2).await;
        chain.fault(Fault { kind, for_ms: None, count });
        // What falls into the fault comes late and is not skipped.
        last = bake_and_read(&chain, &mut blocks, last, 5).await;
        chain.clear_faults();
        last = bake_and_read(&chain, &mut blocks, last, 2).await;
    }
}

#[tokio::test]
async fn the_stream_goes_on_through_another_node_when_its_own_goes_away() {
    let chain = chain().await;
    let (first, second) = (Proxy::to(&chain).await, Proxy::to(&chain).await);
    let nodes = Nodes::connect(options(&[first.url(), second.url()])).await.unwrap();
    let port = port_of(nodes);
    let mut blocks = blocks(&port, 0).await;
    let mut last = within("the first block", blocks.next()).await.unwrap();
    last = bake_and_read(&chain, &mut blocks, last, 3).await;
    first.cut();
    bake_and_read(&chain, &mut blocks, last, 3).await;
}

#[tokio::test]
async fn a_reader_that_is_slow_gets_every_block() {
    let chain = chain().await;
    let port = port(&chain).await;
    let mut blocks = blocks(&port, 0).await;
    let genesis = within("the first block", blocks.next()).await.unwrap();
    // More than the node, the SDK and the stream hold together.
    bake_and_read(&chain, &mut blocks, genesis, 300).await;
}

#[tokio::test]
async fn a_reader_ahead_of_the_chain_waits_for_it() {
    let chain = chain().await;
    let port = port(&chain).await;
    // Nothing is made up for a reader far ahead of the chain.
    let mut ahead = blocks(&port, 10).await;
    let mut behind = blocks(&port, 0).await;
    let genesis = within("the first block", behind.next()).await.unwrap();
    let ninth = bake_and_read(&chain, &mut behind, genesis, 9).await;
    assert!(futures::poll!(ahead.next()).is_pending());
    let tenth = bake_and_read(&chain, &mut behind, ninth, 1).await;
    assert_eq!(within("the tenth block", ahead.next()).await, Some(tenth));
}
