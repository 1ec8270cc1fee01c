//! Watches finalized blocks while another process applies them, so that this one knows what is in
//! them without asking a node. It appends nothing.

use std::sync::Arc;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::ChainError;
use ccd402_domain::transaction::BlockRef;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::follower::{RETRY, Status, saw};

/// Watches one network.
pub struct Watcher {
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) status: watch::Sender<Status>,
}

impl Watcher {
    /// Watches until told to stop. Where the chain cannot be read it is tried again: what to do about
    /// a block that is not understood is the follower's part.
    pub async fn run(self, shutdown: CancellationToken) {
        let _ = shutdown.run_until_cancelled(self.watch()).await;
    }

    async fn watch(&self) {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut last = None;
        loop {
            let before = last;
            let error = self.see(&mut last).await;
            if last != before {
                backoff.reset();
            }
            tracing::debug!(%error, "the watched block stream broke; watching on");
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Sees blocks until there are none any more; why.
    async fn see(&self, last: &mut Option<BlockRef>) -> ChainError {
        let chain = self.facilitator.chain();
        let height = match last {
            Some(block) => block.height + 1,
            None => match chain.tip().await {
                Ok(tip) => tip.height,
                Err(error) => return error,
            },
        };
        let mut blocks = match chain.blocks_from(height).await {
            Ok(blocks) => blocks,
            Err(error) => return error,
        };
        while let Some(block) = blocks.next().await {
            let block = match block {
                Ok(block) => block,
                Err(error) => return error,
            };
            self.facilitator.watch(&block);
            saw(&self.status, block.block);
            *last = Some(block.block);
        }
        ChainError::Unavailable("the block stream ended".to_owned())
    }
}
