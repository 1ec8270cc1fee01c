//! Sweeps over what waits: everything after a start and now and then, what is overdue often.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::facilitator::Facilitator;
use ccd402_app::sweep::Scope;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, is_log_broken};
use crate::follower::Status;

/// How often, and how many sweeps go by until one looks at everything.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two sweeps.
    pub every: Duration,
    /// Each so-many-th sweep looks at everything.
    pub everything_each: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(10), everything_each: 360 }
    }
}

/// Sweeps one facilitator.
pub struct Sweeper {
    facilitator: Arc<Facilitator>,
    follower: watch::Receiver<Status>,
    options: Options,
}

impl Sweeper {
    /// A sweeper; it begins once the follower has seen a block.
    #[must_use]
    pub fn new(
        facilitator: Arc<Facilitator>,
        follower: watch::Receiver<Status>,
        options: Options,
    ) -> Self {
        Self { facilitator, follower, options }
    }

    /// Sweeps until told to stop.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            swept = self.sweep() => swept,
        }
    }

    async fn sweep(&mut self) -> Result<(), Error> {
        // No sender left means that the process is ending.
        if self.follower.wait_for(|status| status.last.is_some()).await.is_err() {
            return Ok(());
        }
        let mut is_whole_due = true;
        for round in 1_u32.. {
            is_whole_due |= round.is_multiple_of(self.options.everything_each.max(1));
            let scope = if is_whole_due { Scope::Everything } else { Scope::Overdue };
            match self.facilitator.sweep(scope).await {
                Ok(swept) => {
                    is_whole_due = is_whole_due && swept.left > 0;
                    tracing::debug!(looked_at = swept.looked_at, left = swept.left, "swept");
                }
                Err(error) if is_log_broken(&error) => return Err(Error::Log(error.to_string())),
                Err(error) => tracing::warn!(%error, "a sweep was cut short; the next goes on"),
            }
            tokio::time::sleep(self.options.every).await;
        }
        Ok(())
    }
}
