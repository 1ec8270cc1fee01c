//! Folds the log into the summary that dashboards and `/health` read, from the first event on.

use std::sync::Arc;

use ccd402_app::ports::log::EventLog;
use ccd402_app::projections::summary::Summary;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Events read at once.
const PAGE: usize = 1_024;

/// Projects one log.
pub struct Projector {
    log: Arc<dyn EventLog>,
    summary: watch::Sender<Summary>,
}

impl Projector {
    /// A projector, and where its summary can be read.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> (Self, watch::Receiver<Summary>) {
        let (summary, watched) = watch::channel(Summary::default());
        (Self { log, summary }, watched)
    }

    /// Projects until told to stop.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut head = self.log.head();
        while !shutdown.is_cancelled() {
            let as_of = self.summary.borrow().as_of;
            let events = self.log.read_all(as_of, PAGE).await?;
            if !events.is_empty() {
                self.summary.send_modify(|summary| {
                    events.iter().for_each(|event| summary.apply(event));
                });
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = head.changed() => if changed.is_err() { return Ok(()) },
            }
        }
        Ok(())
    }
}
