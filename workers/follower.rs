//! Follows finalized blocks and applies each once, in order.
//!
//! It resumes where the log says it was. When the chain says what is not understood it halts and
//! says so; it never skips a block. Meanwhile verifications stay pending.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::error::Error as AppError;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::ports::chain::ChainError;
use ccd402_domain::transaction::BlockRef;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::error::{Error, is_log_broken};

/// First and longest wait before the chain is asked again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

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

    /// Follows until told to stop.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut previous = self.facilitator.followed().await.map_err(log_error)?;
        loop {
            let before = previous;
            let cut = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                cut = self.follow(&mut previous) => cut?,
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
                    shutdown.cancelled().await;
                    return Ok(());
                }
            }
        }
    }

    async fn follow(&self, previous: &mut Option<BlockRef>) -> Result<Cut, Error> {
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
                Ok(block) => self.facilitator.follow(block, *previous).await,
                Err(error) => return Ok(cut(error.clone())),
            };
            match (applied, block) {
                (Ok(decided), Ok(block)) => {
                    if decided > 0 {
                        tracing::info!(block.height = block.block.height, decided, "block applied");
                    }
                    *previous = Some(block.block);
                    self.status.send_modify(|status| status.last = *previous);
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
