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
use tokio::sync::{mpsc, oneshot};

use super::syncer::Applied;
use super::{Files, Status};
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::prepare::Call;

/// Appends that become durable together.
const BATCH_APPENDS_MAX: usize = 256;
/// Bytes after which a batch takes no more appends.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the writer is asked for.
pub(super) enum Command {
    /// Append, and say how it went.
    Append(Call, Reply),
    /// Write what waits, then close the files, then say so.
    Close(oneshot::Sender<()>),
}

type Reply = oneshot::Sender<Result<Position, AppendError>>;

/// How the calls of one batch went, to be told once it is durable.
pub(super) type Outcomes = Vec<(Result<Position, AppendError>, Reply)>;

/// The writer's own.
pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) queue: mpsc::Receiver<Command>,
    pub(super) applied: std_mpsc::SyncSender<Applied>,
    pub(super) syncer: JoinHandle<()>,
    pub(super) status: Arc<Status>,
    pub(super) tip: Tip,
}

/// Tells everybody, should the thread that holds it panic.
pub(super) struct Alarm(pub(super) Arc<Status>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.send_replace(Some("the writer panicked".to_owned()));
        }
    }
}

impl Writer {
    /// Runs until the log is closed or broken.
    pub(super) fn run(mut self) {
        let alarm = Alarm(Arc::clone(&self.status));
        let mut closing = None;
        let mut batch = Vec::with_capacity(BATCH_APPENDS_MAX);
        while self.gather(&mut batch, &mut closing) && self.status.broken.borrow().is_none() {
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
        // Replies that are dropped with the queue read as broken.
        queue.close();
        drop(batch);
        drop(files);
        drop(queue);
        drop(alarm);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// Waits for a call, then takes what else waits; false once there is nothing left to come.
    fn gather(
        &mut self,
        batch: &mut Vec<(Call, Reply)>,
        closing: &mut Option<oneshot::Sender<()>>,
    ) -> bool {
        let mut bytes = 0;
        while batch.len() < BATCH_APPENDS_MAX && bytes < BATCH_BYTES_MAX {
            let next = if batch.is_empty() {
                self.queue.blocking_recv()
            } else {
                self.queue.try_recv().ok()
            };
            match next {
                Some(Command::Append(call, reply)) => {
                    bytes += call.bytes;
                    batch.push((call, reply));
                }
                Some(Command::Close(done)) => {
                    self.queue.close();
                    *closing = Some(done);
                }
                None => break,
            }
        }
        self.status.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        !batch.is_empty()
    }

    fn apply(&mut self, batch: &mut Vec<(Call, Reply)>) -> Result<Applied, Error> {
        let mut draft = Draft::new(&*self.files.db, self.tip, batch.len());
        let mut outcomes = Vec::with_capacity(batch.len());
        for (call, reply) in batch.drain(..) {
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
