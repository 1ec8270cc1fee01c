//! The stream of finalized blocks: every height once, in order, each the child of the one before.
//!
//! A node's stream stalls, ends without a word, drops what is not read in time and may announce a
//! block twice; this one reconnects, changes the node, and fills gaps by height. Where it stands is
//! the reader's to remember.

use std::{sync::Arc, time::Duration};

use ccd402_app::ports::chain::FinalizedBlock;
use ccd402_domain::{ids::BlockHash, transaction::BlockRef};
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

use crate::{
    backoff::Backoff,
    block::{self, Fetched},
    error::Error,
    ledger::Ledger,
    node::Node,
    nodes::Nodes,
};

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
}

/// Blocks from `height` on, for as long as the stream is kept.
///
/// An error is the last thing that it yields: the chain said something that is not understood.
/// Nodes that fail are not errors, the stream waits for one that works.
pub(crate) fn from(
    nodes: Nodes,
    ledger: Arc<Ledger>,
    height: u64,
    options: Options,
) -> ReceiverStream<Result<FinalizedBlock, Error>> {
    let (sender, receiver) = mpsc::channel(options.prefetch.max(1));
    let cursor = Cursor { next: height, parent: None };
    let follower = Follower { nodes, ledger, options, sender, cursor, lost: None };
    tokio::spawn(follower.run());
    ReceiverStream::new(receiver)
}

struct Follower {
    nodes: Nodes,
    /// Told of each block before the reader is.
    ledger: Arc<Ledger>,
    options: Options,
    sender: mpsc::Sender<Result<FinalizedBlock, Error>>,
    cursor: Cursor,
    /// The node that was of no use last.
    lost: Option<Arc<Node>>,
}

impl Follower {
    async fn run(mut self) {
        let reader = self.sender.clone();
        let mut fruitless = 0;
        loop {
            let started_at = self.cursor.next;
            let ended = tokio::select! {
                () = reader.closed() => return,
                ended = self.connection() => ended,
            };
            match ended {
                Ended::Unread => return,
                Ended::Halted(reason) => {
                    let height = self.cursor.next;
                    error!(block.height = height, "following the chain has stopped: {reason}");
                    // Nobody may be left to hear it; the log line stands.
                    let _unread = self.sender.send(Err(reason)).await;
                    return;
                }
                Ended::Lost => {
                    let came_on = self.cursor.next > started_at;
                    fruitless = if came_on { 1 } else { fruitless + 1 };
                    tokio::select! {
                        () = reader.closed() => return,
                        () = sleep(self.options.backoff.delay(fruitless)) => {}
                    }
                }
            }
        }
    }

    /// Follows one node until it is of no use.
    async fn connection(&mut self) -> Ended {
        let node = match self.nodes.next(self.lost.as_ref()).await {
            Ok(node) => node,
            // Excluded nodes stay excluded: waiting would not help.
            Err(failure) => return Ended::Halted(failure.into_error("following the chain")),
        };
        self.lost = Some(Arc::clone(&node));
        // The permit is held for as long as the node serves the stream.
        let Ok((mut client, _permit)) = node.connection().await else { return Ended::Lost };
        let height = AbsoluteBlockHeight::from(self.cursor.next);
        match client.get_finalized_blocks_from(height).await {
            Ok(stream) => self.read(&node, stream).await,
            Err(_) => lost(&node, "it refused the stream of finalized blocks"),
        }
    }

    async fn read(&mut self, node: &Node, mut stream: FinalizedBlocksStream) -> Ended {
        let stall_timeout = self.options.stall_timeout;
        let mut fetching = FuturesOrdered::new();
        let mut asked_for = self.cursor.next;
        let mut announced: Option<FinalizedBlockInfo> = None;
        let mut stalls_at = Instant::now() + stall_timeout;
        loop {
            // Heights below an announced one that were never announced are fetched by height.
            while fetching.len() < self.options.prefetch.max(1) {
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
                    if let Err(ended) = self.hand_over(node, fetched).await {
                        return ended;
                    }
                    stalls_at = Instant::now() + stall_timeout;
                }
                next = stream.next(), if announced.is_none() => match next {
                    Some(next) => {
                        node.saw_height(next.height.height);
                        announced = Some(next);
                    }
                    None => return lost(node, "its stream of blocks ended"),
                },
                () = sleep_until(stalls_at) => {
                    let height = self.cursor.next;
                    let text = format!("no block at height {height} within {stall_timeout:?}");
                    return lost(node, &text);
                }
            }
        }
    }

    async fn hand_over(
        &mut self,
        node: &Node,
        fetched: Result<Fetched, Error>,
    ) -> Result<(), Ended> {
        let accepted = fetched.and_then(|one| self.cursor.accept(&one.block).map(|()| one));
        match accepted {
            Ok(Fetched { block, info, touched }) => {
                self.ledger.saw(&info, &touched);
                self.sender.send(Ok(block)).await.map_err(|_| Ended::Unread)
            }
            Err(halted @ Error::NotUnderstood(_)) => Err(Ended::Halted(halted)),
            Err(error) => Err(lost(node, &error.to_string())),
        }
    }
}

impl Cursor {
    /// Moves over a block, if it is the one that must follow.
    fn accept(&mut self, block: &FinalizedBlock) -> Result<(), Error> {
        let BlockRef { height, hash, .. } = block.block;
        let Self { next, parent } = *self;
        if height != next {
            return Err(Error::NotUnderstood(format!("block {height} came in place of {next}")));
        }
        if let Some(parent) = parent.filter(|parent| *parent != block.parent) {
            return Err(Error::NotUnderstood(format!(
                "block {hash} at height {height} is not the child of {parent}, the block before it"
            )));
        }
        *self = Self { next: height + 1, parent: Some(hash) };
        Ok(())
    }
}

fn lost(node: &Node, reason: &str) -> Ended {
    node.failed(reason);
    Ended::Lost
}

#[cfg(test)]
mod tests {
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
        let cursor = |parent| Cursor { next: 5, parent };
        let rows = [
            ("the first", None, block(5, 2, 1), true),
            ("the child", Some(hash(1)), block(5, 2, 1), true),
            ("another's child", Some(hash(1)), block(5, 2, 9), false),
            ("one later", Some(hash(1)), block(6, 2, 1), false),
            ("one earlier", Some(hash(1)), block(4, 2, 1), false),
        ];
        for (row, parent, block, is_accepted) in rows {
            let mut cursor = cursor(parent);
            match cursor.accept(&block) {
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
