//! The appends that wait for a log's one writer: bounded in number and in bytes.
//!
//! What the writer does with them is the adapter's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{APPEND_BYTES_MAX, Append, AppendError, Position};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::Error;
use crate::prepare::Call;

/// Appends that become durable together.
const BATCH_APPENDS_MAX: usize = 256;
/// Bytes after which a batch takes no more appends.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a writer is asked for.
enum Command {
    /// Append, and say how it went.
    Append(Call, Reply),
    /// Write what waits, then close, then say so.
    Close(oneshot::Sender<()>),
}

/// Who waits for an append.
pub(crate) type Reply = oneshot::Sender<Result<Position, AppendError>>;

/// Calls that become durable together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) calls: Vec<Call>,
    /// Who waits for each.
    pub(crate) replies: Vec<Reply>,
    bytes: usize,
}

/// The callers' end.
pub(crate) struct Queue {
    commands: mpsc::Sender<Command>,
    bytes_max: usize,
    load: Arc<Load>,
}

/// The writer's end.
pub(crate) struct Intake {
    commands: mpsc::Receiver<Command>,
    load: Arc<Load>,
    closing: Option<oneshot::Sender<()>>,
}

/// What callers and writer tell each other.
pub(crate) struct Load {
    bytes: AtomicUsize,
    broken: watch::Sender<Option<String>>,
}

impl Queue {
    /// A queue, and the writer's end of it.
    pub(crate) fn new(appends_max: usize, bytes_max: usize) -> (Self, Intake) {
        let (sender, commands) = mpsc::channel(appends_max.max(1));
        let load = Arc::new(Load { bytes: AtomicUsize::new(0), broken: watch::Sender::new(None) });
        let intake = Intake { commands, load: Arc::clone(&load), closing: None };
        (Self { commands: sender, bytes_max: bytes_max.max(APPEND_BYTES_MAX), load }, intake)
    }

    /// What the writer shares.
    pub(crate) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// Hands an append over and waits for it. It happens even if nobody waits any more.
    pub(crate) async fn append(
        &self,
        fence: Option<Fence>,
        appends: Vec<Append>,
    ) -> Result<Position, AppendError> {
        let call = Call { fence, ..Call::new(appends)? };
        let bytes = call.bytes;
        if !self.reserve(bytes) {
            return Err(AppendError::Busy);
        }
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.commands.try_send(Command::Append(call, reply)) {
            self.load.taken(bytes);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => self.load.broken_error(),
            });
        }
        answer.await.unwrap_or_else(|_| Err(self.load.broken_error()))
    }

    /// Has the writer write what waits, and waits until it is gone.
    pub(crate) async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        // A queue that takes nothing more belongs to a writer that is gone or going.
        if self.commands.send(Command::Close(done)).await.is_ok() {
            let _ = is_done.await;
        }
        self.commands.closed().await;
    }

    /// Counts a call's bytes, if they fit.
    fn reserve(&self, bytes: usize) -> bool {
        let max = self.bytes_max;
        let add = |queued: usize| queued.checked_add(bytes).filter(|sum| *sum <= max);
        self.load.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

impl Intake {
    /// Waits for a call, then takes what else waits; false once there is nothing left to come.
    pub(crate) async fn next(&mut self, batch: &mut Batch) -> bool {
        while batch.calls.is_empty() {
            let Some(first) = self.commands.recv().await else { return false };
            self.take(first, batch);
        }
        true
    }

    /// The same, on a thread that may block.
    pub(crate) fn next_blocking(&mut self, batch: &mut Batch) -> bool {
        while batch.calls.is_empty() {
            let Some(first) = self.commands.blocking_recv() else { return false };
            self.take(first, batch);
        }
        true
    }

    /// Takes what has come since, as far as there is room.
    pub(crate) fn more(&mut self, batch: &mut Batch) {
        if !batch.is_full()
            && let Ok(first) = self.commands.try_recv()
        {
            self.take(first, batch);
        }
    }

    /// Takes nothing more: replies that are dropped with the queue read as broken.
    pub(crate) fn close(&mut self) {
        self.commands.close();
    }

    /// Drops what was not taken; whom to tell that the log is closed.
    pub(crate) fn into_closing(self) -> Option<oneshot::Sender<()>> {
        self.closing
    }

    fn take(&mut self, first: Command, batch: &mut Batch) {
        let before = batch.bytes;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Append(call, reply) => batch.add(call, reply),
                Command::Close(done) => {
                    self.commands.close();
                    self.closing = Some(done);
                }
            }
            next = if batch.is_full() { None } else { self.commands.try_recv().ok() };
        }
        self.load.taken(batch.bytes - before);
    }
}

impl Batch {
    /// Calls for whose outcomes nobody waits.
    #[cfg(test)]
    pub(crate) fn of(calls: impl IntoIterator<Item = Call>) -> Self {
        let mut batch = Self::default();
        for call in calls {
            batch.add(call, oneshot::channel().0);
        }
        batch
    }

    fn add(&mut self, call: Call, reply: Reply) {
        self.bytes += call.bytes;
        self.calls.push(call);
        self.replies.push(reply);
    }

    fn is_full(&self) -> bool {
        self.calls.len() >= BATCH_APPENDS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    /// The calls, one by one, and who waits for each; the batch is empty then.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Call, Reply)> {
        self.bytes = 0;
        self.calls.drain(..).zip(self.replies.drain(..))
    }
}

impl Load {
    /// So many bytes wait no longer.
    fn taken(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Nothing can be written any more.
    pub(crate) fn stop(&self, reason: String) {
        self.broken.send_replace(Some(reason));
    }

    /// Whether that was said.
    pub(crate) fn is_stopped(&self) -> bool {
        self.broken.borrow().is_some()
    }

    /// Resolves with the reason once it is said; never where the log is closed in good order.
    pub(crate) fn broken(&self) -> impl Future<Output = String> + Send + 'static {
        let mut broken = self.broken.subscribe();
        async move {
            loop {
                if let Some(reason) = broken.borrow_and_update().clone() {
                    return reason;
                }
                if broken.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    fn broken_error(&self) -> AppendError {
        let reason = self.broken.borrow().clone();
        AppendError::Broken(reason.unwrap_or_else(|| Error::Closed.to_string()))
    }
}

/// Tells everybody, should the writer that holds it panic.
pub(crate) struct Alarm(pub(crate) Arc<Load>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("the writer panicked".to_owned());
        }
    }
}
