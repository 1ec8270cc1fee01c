//! The one thread that writes: takes what waits, decides, applies it as one batch, makes it
//! durable, and only then acknowledges.
//!
//! It trusts nothing after a failure: whatever was not durable is not acknowledged, and nothing is
//! written any more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ccd402_app::ports::log::{AppendError, Position};
use tokio::sync::{mpsc, oneshot};

use super::open::Mark;
use super::{Files, Status};
use crate::draft::{Draft, Tip};
use crate::error::Error;
use crate::prepare::Call;

/// Appends that become durable together.
const BATCH_APPENDS_MAX: usize = 256;
/// Bytes after which a batch takes no more appends.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Positions after which the mark is moved.
const MARK_EVERY: Position = 8_192;

/// Makes what was flushed survive power loss.
pub(super) type Sync = Box<dyn FnMut() -> io::Result<()> + Send>;

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

/// Batches whose callers are still being told.
pub(super) const OUTCOMES_MAX: usize = 64;

/// Tells callers how their appends went. On the runtime, where waking a task costs next to nothing;
/// from the writer's thread each would be a call of the system.
pub(super) async fn tell(mut batches: mpsc::Receiver<Outcomes>) {
    while let Some(outcomes) = batches.recv().await {
        for (outcome, reply) in outcomes {
            // Who stopped waiting does not want to know.
            let _ = reply.send(outcome);
        }
    }
}

/// The writer's own.
pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) queue: mpsc::Receiver<Command>,
    pub(super) outcomes: mpsc::Sender<Outcomes>,
    pub(super) status: Arc<Status>,
    pub(super) sync: Sync,
    pub(super) mark: Mark,
    pub(super) tip: Tip,
}

/// Tells everybody, should the writer panic.
struct Alarm(Arc<Status>);

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
        while self.gather(&mut batch, &mut closing) {
            if let Err(error) = self.write(&mut batch) {
                self.stop(&error);
                return;
            }
        }
        if let Err(error) = self.mark.set(self.tip.position) {
            tracing::error!(%error, "The log's mark cannot be written at closing.");
        }
        let Self { files, queue, .. } = self;
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

    fn write(&mut self, batch: &mut Vec<(Call, Reply)>) -> Result<(), Error> {
        let mut draft = Draft::new(&*self.files.db, self.tip, batch.len());
        let mut outcomes = Vec::with_capacity(batch.len());
        for (call, reply) in batch.drain(..) {
            outcomes.push((draft.admit(call)?, reply));
        }
        let tip = draft.tip();
        if !draft.is_empty() {
            let events = draft.take_events();
            let mut writes = ::sled::Batch::default();
            for (key, value) in draft.into_writes() {
                match value {
                    Some(value) => writes.insert(key, value),
                    None => writes.remove(key),
                }
            }
            self.make_durable(writes)?;
            self.tip = tip;
            self.status.waiting.store(tip.waiting, Ordering::Relaxed);
            self.status.tail.push(events);
            self.status.head.send_replace(tip.position);
        }
        // Where the runtime is gone, so is everybody who waits.
        let _ = self.outcomes.blocking_send(outcomes);
        if self.tip.position >= self.mark.position() + MARK_EVERY {
            self.mark.set(self.tip.position)?;
        }
        Ok(())
    }

    fn make_durable(&mut self, writes: ::sled::Batch) -> Result<(), Error> {
        self.status.is_applying.store(true, Ordering::Relaxed);
        let applied = self.files.db.apply_batch(writes);
        self.status.is_applying.store(false, Ordering::Relaxed);
        applied?;
        self.files.db.flush()?;
        (self.sync)().map_err(Error::io(self.mark.dir()))
    }

    fn stop(&mut self, error: &Error) {
        tracing::error!(%error, "The log cannot be written any more; the process must stop.");
        self.status.broken.send_replace(Some(error.to_string()));
        // Replies that are dropped with the queue read as broken.
        self.queue.close();
    }
}
