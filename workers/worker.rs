//! One worker of a job queue: it says that it lives, fetches jobs as it has room for them, and has
//! each tried in a task of its own.
//!
//! apalis has workers, too. They fetch, beat and try in one task that is not polled while it has no
//! free slot, so that a fetch which is cut short there holds the store; and they wait by a timer of
//! their own. Here heartbeats and fetches go on whatever the jobs do, and each has its time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::queue::{JobKind, QueueError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::queue::{HEARTBEAT, Taken, Worked, Worker};

/// How often a worker looks for jobs that became due by time, or were queued by another process.
const POLL: Duration = Duration::from_millis(250);
/// How many jobs are fetched at once, at most.
const FETCH_MAX: usize = 32;
/// How long the queue may take to answer before the worker begins anew.
const ANSWER: Duration = Duration::from_secs(10);

/// Tries one job to its end, and settles it.
#[async_trait]
pub trait Try: Send + Sync {
    /// Tries it. What goes wrong is settled, too.
    async fn run(&self, taken: Taken);
}

/// What a worker is to do.
#[derive(Clone)]
pub struct Work {
    /// Jobs of which kind.
    pub kind: JobKind,
    /// How many at the same time.
    pub at_once: usize,
    /// How.
    pub tries: Arc<dyn Try>,
    /// Until when.
    pub stop: CancellationToken,
}

impl Work {
    /// Works until told to stop; then what runs ends first.
    ///
    /// # Errors
    /// Where the queue fails: what runs is cut off, and taken back by whoever works next.
    pub async fn run(&self, queue: &dyn Worked) -> Result<(), QueueError> {
        let worker = Worker::new(self.kind);
        in_time(queue.register(&worker)).await?;
        tokio::select! {
            failed = beat(queue, &worker) => failed,
            ended = self.work(queue, &worker) => ended,
        }
    }

    async fn work(&self, queue: &dyn Worked, worker: &Worker) -> Result<(), QueueError> {
        let slots = Arc::new(Semaphore::new(self.at_once));
        let mut running = JoinSet::new();
        let mut pushed = queue.pushed();
        let mut look = every(POLL);
        while let Some(room) = self.room(&slots).await {
            while running.try_join_next().is_some() {}
            pushed.mark_unchanged();
            // Not given up at the stop: what was fetched is this worker's, and is tried.
            let taken = in_time(queue.fetch(worker, room.num_permits())).await?;
            if taken.is_empty() {
                drop(room);
                self.nap(&mut pushed, &mut look).await;
                continue;
            }
            self.begin(&mut running, taken, room);
        }
        while running.join_next().await.is_some() {}
        Ok(())
    }

    /// Every free slot, once there is one; `None` at the stop.
    async fn room(&self, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let first = self.stop.run_until_cancelled(Arc::clone(slots).acquire_owned()).await?;
        let mut room = first.expect("nobody closes the semaphore");
        while room.num_permits() < FETCH_MAX
            && let Ok(more) = Arc::clone(slots).try_acquire_owned()
        {
            room.merge(more);
        }
        Some(room)
    }

    async fn nap(&self, pushed: &mut watch::Receiver<u64>, look: &mut tokio::time::Interval) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = look.tick() => {}
            // Nobody pushes any more: the next look is by time.
            changed = pushed.changed() => if changed.is_err() { look.tick().await; },
        }
    }

    fn begin(&self, running: &mut JoinSet<()>, taken: Vec<Taken>, mut room: OwnedSemaphorePermit) {
        for taken in taken {
            let slot = room.split(1);
            let tries = Arc::clone(&self.tries);
            running.spawn(async move {
                tries.run(taken).await;
                drop(slot);
            });
        }
    }
}

/// Ends only where it fails.
async fn beat(queue: &dyn Worked, worker: &Worker) -> Result<(), QueueError> {
    let mut beats = every(HEARTBEAT.0);
    loop {
        beats.tick().await;
        in_time(queue.beat(worker)).await?;
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn in_time<T>(asked: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    let late = || QueueError::Unavailable(format!("no answer within {} s", ANSWER.as_secs()));
    timeout(ANSWER, asked).await.unwrap_or_else(|_| Err(late()))
}
