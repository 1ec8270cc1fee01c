//! The one thread that decides: takes what waits, and applies it to sled as one batch. A second
//! thread makes batches durable ([`super::syncer`]), so that the next is decided meanwhile.
//!
//! It trusts nothing after a failure: whatever was not durable is not acknowledged, and nothing is
//! written any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use ccd402_app::ports::log::{AppendError, Position};

use super::syncer::Applied;
use super::{Files, Status};
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::queue::{Alarm, Batch, Intake, Reply};

/// How the calls of one batch went, to be told once it is durable.
pub(super) type Outcomes = Vec<(Result<Position, AppendError>, Reply)>;

/// The writer's own.
pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) queue: Intake,
    pub(super) applied: std_mpsc::SyncSender<Applied>,
    pub(super) syncer: JoinHandle<()>,
    pub(super) status: Arc<Status>,
    pub(super) tip: Tip,
}

impl Writer {
    /// Runs until the log is closed or broken.
    pub(super) fn run(mut self) {
        let alarm = Alarm(Arc::clone(&self.status.load));
        let mut batch = Batch::default();
        while self.queue.next_blocking(&mut batch) && !self.status.load.is_stopped() {
            let applied = match self.apply(&mut batch) {
                Ok(applied) => applied,
                Err(error) => {
                    self.status.stop(&error);
                    break;
                }
            };
            if self.applied.send(applied).is_err() {
                // The syncer has said why it takes no more.
                break;
            }
        }
        let Self { files, mut queue, applied, syncer, .. } = self;
        drop(applied);
        // A panic there has raised its own alarm.
        let _ = syncer.join();
        queue.close();
        drop(batch);
        drop(files);
        let closing = queue.into_closing();
        drop(alarm);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    fn apply(&mut self, batch: &mut Batch) -> Result<Applied, Error> {
        let mut draft = Draft::new(&*self.files.db, self.tip, batch.calls.len());
        let mut outcomes = Vec::with_capacity(batch.calls.len());
        for (call, reply) in batch.drain() {
            outcomes.push((draft.admit(call)?, reply));
        }
        let has_writes = !draft.is_empty();
        let (events, waits) = (draft.take_events(), draft.take_waits());
        if has_writes {
            self.tip = draft.tip();
            let writes = draft.into_batch();
            self.status.is_applying.store(true, Ordering::Relaxed);
            let applied = self.files.db.apply_batch(writes);
            self.status.is_applying.store(false, Ordering::Relaxed);
            applied?;
        }
        Ok(Applied { tip: self.tip, has_writes, events, waits, outcomes })
    }
}
