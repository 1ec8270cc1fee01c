//! Follows finalized blocks and applies each once, in order.
//!
//! It resumes where the log says it was. When the chain says what is not understood it halts and
//! says so; it never skips a block. Meanwhile verifications stay pending. Of several processes one
//! follows at a time; the others watch.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::error::Error as AppError;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::ChainError;
use ccd402_app::ports::lease::Fence;
use ccd402_domain::transaction::BlockRef;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::error::{Error, is_log_broken};
use crate::watcher::Watcher;

/// First and longest wait before the chain is asked again.
pub(crate) const RETRY: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_secs(10));

/// How the follower is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The last block that was applied since the start.
    pub last: Option<BlockRef>,
    /// Why it halted for good. Someone must act.
    pub halted: Option<String>,
}

/// Follows one network.
pub struct Follower {
    facilitator: Arc<Facilitator>,
    status: watch::Sender<Status>,
}

enum Cut {
    Retry(ChainError),
    Halt(String),
}

impl Follower {
    /// A follower, and where its status can be watched.
    #[must_use]
    pub fn new(facilitator: Arc<Facilitator>) -> (Self, watch::Receiver<Status>) {
        let (status, watched) = watch::channel(Status::default());
        (Self { facilitator, status }, watched)
    }

    /// Whoever watches blocks while another process follows; it tells of them by the same status.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher { facilitator: Arc::clone(&self.facilitator), status: self.status.clone() }
    }

    /// Looks where others have followed to. Part of every run; by itself for whoever must not begin
    /// before.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn begin(&self) -> Result<Option<BlockRef>, Error> {
        self.facilitator.begin_to_follow().await.map_err(log_error)
    }

    /// Follows until told to stop, under a lease if the log is shared. Ends before where it halts.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn run(
        &self,
        fence: Option<&Fence>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut previous = self.begin().await?;
        loop {
            let before = previous;
            let cut = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                cut = self.follow(fence, &mut previous) => cut?,
            };
            match cut {
                Cut::Retry(error) => {
                    if previous != before {
                        backoff.reset();
                    }
                    let wait = backoff.next_wait();
                    let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(%error, retry_ms, "the block stream broke; following on");
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Cut::Halt(reason) => {
                    tracing::error!(%reason, "the follower has halted; nothing is confirmed");
                    self.status.send_modify(|status| status.halted = Some(reason));
                    return Ok(());
                }
            }
        }
    }

    async fn follow(
        &self,
        fence: Option<&Fence>,
        previous: &mut Option<BlockRef>,
    ) -> Result<Cut, Error> {
        let chain = self.facilitator.chain();
        let height = match previous {
            Some(block) => block.height + 1,
            None => match chain.tip().await {
                Ok(tip) => tip.height,
                Err(error) => return Ok(cut(error)),
            },
        };
        let mut blocks = match chain.blocks_from(height).await {
            Ok(blocks) => blocks,
            Err(error) => return Ok(cut(error)),
        };
        while let Some(block) = blocks.next().await {
            let applied = match &block {
                Ok(block) => self.facilitator.follow_under(fence, block, *previous).await,
                Err(error) => return Ok(cut(error.clone())),
            };
            match (applied, block) {
                (Ok(decided), Ok(block)) => {
                    if decided > 0 {
                        tracing::info!(block.height = block.block.height, decided, "block applied");
                    }
                    *previous = Some(block.block);
                    saw(&self.status, block.block);
                }
                (Err(AppError::Chain(error)), _) => return Ok(cut(error)),
                (Err(error), _) if is_log_broken(&error) => return Err(log_error(error)),
                (Err(error), _) => return Ok(cut(ChainError::Unavailable(error.to_string()))),
                (Ok(_), Err(error)) => return Ok(cut(error)),
            }
        }
        Ok(cut(ChainError::Unavailable("the block stream ended".to_owned())))
    }
}

/// The status says how far the newest of those has come who tell by it.
pub(crate) fn saw(status: &watch::Sender<Status>, block: BlockRef) {
    status.send_if_modified(|status| {
        let is_new = status.last.is_none_or(|last| last.height < block.height);
        if is_new {
            status.last = Some(block);
        }
        is_new
    });
}

fn cut(error: ChainError) -> Cut {
    match error {
        ChainError::Unavailable(_) | ChainError::Busy => Cut::Retry(error),
        ChainError::NotUnderstood(_) | ChainError::WrongNetwork { .. } => {
            Cut::Halt(error.to_string())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn log_error(error: AppError) -> Error {
    Error::Log(error.to_string())
}
