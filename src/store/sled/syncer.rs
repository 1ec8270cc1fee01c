//! The thread that makes batches durable, in their order, and only then shows and acknowledges them.
//!
//! While it waits for the disk, the writer applies the next batch; what was applied meanwhile
//! becomes durable together.

use std::io;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Instant;

use ccd402_app::ports::log::{Position, Recorded};
use tokio::sync::mpsc;

use super::open::Mark;
use super::writer::Outcomes;
use super::{Files, Status};
use crate::draft::Tip;
use crate::error::Error;
use crate::measure::Measure;
use crate::queue::Alarm;
use crate::waits::Change;

/// Positions after which the mark is moved.
const MARK_EVERY: Position = 8_192;
/// Batches that may be applied while one is made durable.
pub(super) const APPLIED_MAX: usize = 1;
/// Batches whose callers are still being told.
pub(super) const OUTCOMES_MAX: usize = 64;

/// Makes what was flushed survive power loss.
pub(super) type Sync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// One batch that sled has taken and may still lose.
pub(super) struct Applied {
    /// Where the log ends after it.
    pub(super) tip: Tip,
    /// Whether it wrote anything: calls that were refused write nothing.
    pub(super) has_writes: bool,
    pub(super) events: Vec<Recorded>,
    /// Waits that these begin and end.
    pub(super) waits: Vec<Change>,
    pub(super) outcomes: Outcomes,
}

/// The syncer's own.
pub(super) struct Syncer {
    pub(super) files: Files,
    pub(super) applied: std_mpsc::Receiver<Applied>,
    pub(super) outcomes: mpsc::Sender<Outcomes>,
    pub(super) status: Arc<Status>,
    pub(super) sync: Sync,
    pub(super) mark: Mark,
    pub(super) measure: Measure,
}

impl Syncer {
    /// Runs until the writer hands over nothing more, or a batch cannot be made durable.
    pub(super) fn run(mut self) {
        let _alarm = Alarm(Arc::clone(&self.status.load));
        let mut position = self.mark.position();
        while let Ok(first) = self.applied.recv() {
            let batches: Vec<_> = std::iter::once(first).chain(self.applied.try_iter()).collect();
            position = batches.last().map_or(position, |batch| batch.tip.position);
            if let Err(error) = self.settle(batches) {
                self.status.stop(&error);
                return;
            }
        }
        if let Err(error) = self.mark.set(position) {
            tracing::error!(%error, "The log's mark cannot be written at closing.");
        }
    }

    fn settle(&mut self, batches: Vec<Applied>) -> Result<(), Error> {
        if batches.iter().any(|batch| batch.has_writes) {
            let begun_at = Instant::now();
            let waiting = self.status.waited.begin();
            self.files.db.flush()?;
            (self.sync)().map_err(Error::io(self.mark.dir()))?;
            drop(waiting);
            let events = batches.iter().map(|batch| batch.events.len()).sum();
            self.measure.synced(events, begun_at.elapsed());
        }
        for Applied { tip, has_writes, events, waits, outcomes } in batches {
            if has_writes {
                self.status.waits.change(waits);
                self.measure.stands(tip.position, self.status.waits.total());
                self.measure.happened(&events);
                self.status.tail.push(events);
                self.status.head.send_replace(tip.position);
            }
            // Where the runtime is gone, so is everybody who waits.
            let _ = self.outcomes.blocking_send(outcomes);
            if tip.position >= self.mark.position() + MARK_EVERY {
                self.mark.set(tip.position)?;
            }
        }
        Ok(())
    }
}

/// Tells callers how their appends went. On the runtime, where waking a task costs next to nothing;
/// from the syncer's thread each would be a call of the system.
pub(super) async fn tell(mut batches: mpsc::Receiver<Outcomes>) {
    while let Some(outcomes) = batches.recv().await {
        for (outcome, reply) in outcomes {
            // Who stopped waiting does not want to know.
            let _ = reply.send(outcome);
        }
    }
}
