//! Tells a process of several what the log has got, whoever appended it.
//!
//! It begins where the process began to read, and tells of each event once, in order. What a listener
//! does about it is `app`'s: `heard`.

use std::sync::Arc;

use ccd402_app::error::Error as AppError;
use ccd402_app::facilitator::Facilitator;
use ccd402_app::keys::Keys;
use ccd402_app::ports::log::{Position, READ_EVENTS_MAX};
use ccd402_app::webhooks::Webhooks;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Listens for one process.
pub struct Listener {
    /// Wakes those who wait, and counts what sponsors have promised.
    pub facilitator: Arc<Facilitator>,
    /// Knows all keys.
    pub keys: Keys,
    /// Knows all webhooks.
    pub webhooks: Arc<Webhooks>,
    /// Everything up to here was in the log before the others were read from it.
    pub since: Position,
}

impl Listener {
    /// Listens until told to stop.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        shutdown.run_until_cancelled(self.listen()).await.unwrap_or(Ok(()))
    }

    async fn listen(self) -> Result<(), Error> {
        let log = self.facilitator.log();
        let (mut head, mut after) = (log.head(), self.since);
        loop {
            head.mark_unchanged();
            let events = log.read_all(after, READ_EVENTS_MAX).await?;
            for recorded in &events {
                self.facilitator.heard(recorded);
                self.keys.heard(recorded).await.map_err(failed)?;
                self.webhooks.heard(recorded).await.map_err(failed)?;
                after = recorded.position;
            }
            if events.is_empty() && head.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: AppError) -> Error {
    Error::Log(error.to_string())
}
