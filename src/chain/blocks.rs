//! The stream of finalized blocks: every height once, in order, each the child of the one before.
//!
//! A node's stream stalls, ends without a word, drops what is not read in time and may announce a
//! block twice; this one reconnects, changes the node, and fills gaps by height. Where it stands is
//! the reader's to remember.

use std::{sync::Arc, time::Duration};

use ccd402_app::ports::chain::FinalizedBlock;
use ccd402_domain::ids::BlockHash;
use concordium_rust_sdk::{
    types::AbsoluteBlockHeight,
    v2::{FinalizedBlockInfo, FinalizedBlocksStream},
};
use futures::{StreamExt, stream::FuturesOrdered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tracing::error;

use crate::{backoff::Backoff, block, error::Error, node::Node, nodes::Nodes};

/// How the stream is read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Time without a new block after which the node is given up. Default 30 s: blocks finalize
    /// every few seconds.
    pub stall_timeout: Duration,
    /// Blocks fetched at once, and again as many that wait to be read. Default 8.
    pub prefetch: usize,
    /// Pause between two connections that bring nothing.
    pub backoff: Backoff,
}

impl Default for Options {
    fn default() -> Self {
        Self { stall_timeout: Duration::from_secs(30), prefetch: 8, backoff: Backoff::default() }
    }
}

/// How one connection to one node ended.
enum Ended {
    /// Nobody reads any more.
    Unread,
    /// The node is of no use now; it has been noted there.
    Lost,
    /// The chain says what cannot be.
    Halted(Error),
}

/// Where the reader stands.
struct Cursor {
    next: u64,
    parent: Option<BlockHash>,
    /// The node that was of no use last.
    lost: Option<Arc<Node>>,
}

/// Blocks from `height` on, for as long as the stream is kept.
///
/// An error is the last thing that it yields: the chain said something that is not understood.
/// Nodes that fail are not errors, the stream waits for one that works.
pub(crate) fn from(
    nodes: Nodes,
    height: u64,
    options: Options,
) -> ReceiverStream<Result<FinalizedBlock, Error>> {
    let (sender, receiver) = mpsc::channel(options.prefetch.max(1));
    tokio::spawn(follow(nodes, height, options, sender));
    ReceiverStream::new(receiver)
}

async fn follow(
    nodes: Nodes,
    height: u64,
    options: Options,
    sender: mpsc::Sender<Result<FinalizedBlock, Error>>,
) {
    let mut cursor = Cursor { next: height, parent: None, lost: None };
    let mut fruitless = 0;
    loop {
        let started_at = cursor.next;
        let ended = tokio::select! {
            () = sender.closed() => Ended::Unread,
            ended = connection(&nodes, &mut cursor, &options, &sender) => ended,
        };
        match ended {
            Ended::Unread => return,
            Ended::Halted(reason) => {
                error!(block.height = cursor.next, "following the chain has stopped: {reason}");
                // Nobody may be left to hear it; the log line stands.
                let _unread = sender.send(Err(reason)).await;
                return;
            }
            Ended::Lost => {
                fruitless = if cursor.next > started_at { 1 } else { fruitless + 1 };
                tokio::select! {
                    () = sender.closed() => return,
                    () = sleep(options.backoff.delay(fruitless)) => {}
                }
            }
        }
    }
}

/// Follows one node until it is of no use.
async fn connection(
    nodes: &Nodes,
    cursor: &mut Cursor,
    options: &Options,
    sender: &mpsc::Sender<Result<FinalizedBlock, Error>>,
) -> Ended {
    let node = match nodes.next(cursor.lost.as_ref()).await {
        Ok(node) => node,
        // Excluded nodes stay excluded: waiting would not help.
        Err(failure) => return Ended::Halted(failure.into_error("following the chain")),
    };
    cursor.lost = Some(Arc::clone(&node));
    // The permit is held for as long as the node serves the stream.
    let Ok((mut client, _permit)) = node.connection().await else { return Ended::Lost };
    let height = AbsoluteBlockHeight::from(cursor.next);
    let Ok(stream) = client.get_finalized_blocks_from(height).await else {
        return lost(&node, "it refused the stream of finalized blocks");
    };
    read(&node, stream, (cursor, options, sender)).await
}

type Reader<'a> = (&'a mut Cursor, &'a Options, &'a mpsc::Sender<Result<FinalizedBlock, Error>>);

async fn read(
    node: &Node,
    mut stream: FinalizedBlocksStream,
    (cursor, options, sender): Reader<'_>,
) -> Ended {
    let mut fetching = FuturesOrdered::new();
    let mut asked_for = cursor.next;
    let mut announced: Option<FinalizedBlockInfo> = None;
    let mut stalls_at = Instant::now() + options.stall_timeout;
    loop {
        // Heights below an announced one that were never announced are fetched by height.
        while fetching.len() < options.prefetch.max(1) {
            let Some(last) = announced else { break };
            let hash = (asked_for == last.height.height).then_some(last.block_hash);
            if asked_for >= last.height.height {
                announced = None;
            }
            if asked_for <= last.height.height {
                fetching.push_back(block::fetch(node, asked_for, hash));
                asked_for += 1;
            }
        }
        tokio::select! {
            biased;
            Some(fetched) = fetching.next() => {
                let accepted = fetched.and_then(|block| accept(cursor, &block).map(|()| block));
                let block = match accepted {
                    Ok(block) => block,
                    Err(halted @ Error::NotUnderstood(_)) => return Ended::Halted(halted),
                    Err(error) => return lost(node, &error.to_string()),
                };
                if sender.send(Ok(block)).await.is_err() {
                    return Ended::Unread;
                }
                stalls_at = Instant::now() + options.stall_timeout;
            }
            next = stream.next(), if announced.is_none() => match next {
                Some(next) => {
                    node.saw_height(next.height.height);
                    announced = Some(next);
                }
                None => return lost(node, "its stream of blocks ended"),
            },
            () = sleep_until(stalls_at) => {
                let waited = options.stall_timeout;
                let height = cursor.next;
                return lost(node, &format!("no block at height {height} within {waited:?}"));
            }
        }
    }
}

/// Moves the cursor over a block, if it is the one that must follow.
fn accept(cursor: &mut Cursor, block: &FinalizedBlock) -> Result<(), Error> {
    let height = block.block.height;
    if height != cursor.next {
        let wanted = cursor.next;
        return Err(Error::NotUnderstood(format!("block {height} came in place of {wanted}")));
    }
    if cursor.parent.is_some_and(|parent| parent != block.parent) {
        return Err(Error::NotUnderstood(format!(
            "block {} at height {height} is not the child of the block before it, {}",
            block.block.hash,
            cursor.parent.map(|parent| parent.to_string()).unwrap_or_default()
        )));
    }
    cursor.next = height + 1;
    cursor.parent = Some(block.block.hash);
    Ok(())
}

fn lost(node: &Node, reason: &str) -> Ended {
    node.failed(reason);
    Ended::Lost
}

#[cfg(test)]
mod tests {
    use ccd402_domain::transaction::BlockRef;

    use super::*;

    fn hash(number: u8) -> BlockHash {
        BlockHash::from_bytes([number; 32])
    }

    fn block(height: u64, own: u8, parent: u8) -> FinalizedBlock {
        let time = chrono::DateTime::UNIX_EPOCH;
        let block = BlockRef { height, hash: hash(own), time };
        FinalizedBlock { block, parent: hash(parent), transactions: Vec::new() }
    }

    #[test]
    fn only_the_child_of_the_block_before_is_accepted() {
        let cursor = |parent| Cursor { next: 5, parent, lost: None };
        let rows = [
            ("the first", None, block(5, 2, 1), true),
            ("the child", Some(hash(1)), block(5, 2, 1), true),
            ("another's child", Some(hash(1)), block(5, 2, 9), false),
            ("one later", Some(hash(1)), block(6, 2, 1), false),
            ("one earlier", Some(hash(1)), block(4, 2, 1), false),
        ];
        for (row, parent, block, is_accepted) in rows {
            let mut cursor = cursor(parent);
            match accept(&mut cursor, &block) {
                Ok(()) => {
                    assert!(is_accepted, "{row}");
                    assert_eq!((cursor.next, cursor.parent), (6, Some(hash(2))), "{row}");
                }
                Err(error) => {
                    assert!(!is_accepted, "{row}");
                    assert!(matches!(error, Error::NotUnderstood(_)), "{row}: {error}");
                    assert_eq!((cursor.next, cursor.parent), (5, parent), "{row}");
                }
            }
        }
    }
}
