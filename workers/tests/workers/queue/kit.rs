//! A queue, runners over it, and a handler that does as it is told.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::queue::{Job, JobId, JobKind, JobStatus, Queued};
use ccd402_workers::error::Error;
use ccd402_workers::jobs::{Handler, Handlers, Ran, Registered};
use ccd402_workers::queue::Worked;
use ccd402_workers::queue::redis::RedisQueue;
use ccd402_workers::queue::sqlite::SqliteQueue;
use ccd402_workers::runner::{Options, Runner};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::redis_server::RedisServer;

/// How long anything may take before a test fails.
const LONG: Duration = Duration::from_secs(60);

pub(crate) enum Store {
    Sqlite(SqliteQueue, TempDir),
    Redis(RedisQueue, RedisServer),
}

pub(crate) struct Kit {
    pub(crate) queue: Arc<dyn Worked>,
    pub(crate) store: Store,
}

impl Kit {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let queue = SqliteQueue::open(&dir.path().join("jobs.sqlite")).await.unwrap();
        Self { queue: Arc::new(queue.clone()), store: Store::Sqlite(queue, dir) }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start();
        let queue = RedisQueue::open(&server.url()).unwrap();
        Self { queue: Arc::new(queue.clone()), store: Store::Redis(queue, server) }
    }

    /// The same queue with another bound.
    pub(crate) fn bounded(&self, waiting_max: u64) -> Arc<dyn Worked> {
        match &self.store {
            Store::Sqlite(queue, _) => Arc::new(queue.clone().with_waiting_max(waiting_max)),
            Store::Redis(queue, _) => Arc::new(queue.clone().with_waiting_max(waiting_max)),
        }
    }

    pub(crate) fn run(&self, handler: &Arc<Scripted>, at_once: usize) -> Running {
        run_on(&self.queue, handler, at_once)
    }

    pub(crate) async fn status(&self, id: JobId) -> Option<JobStatus> {
        self.queue.show(id).await.unwrap().map(|queued| queued.status)
    }

    /// The job once it is a dead letter.
    pub(crate) async fn dead(&self, id: JobId) -> Queued {
        until("a dead letter", || async {
            let queued = self.queue.show(id).await.unwrap()?;
            (queued.status == JobStatus::Dead).then_some(queued)
        })
        .await
    }

    pub(crate) async fn until_empty(&self) {
        until("an empty queue", || async {
            (self.queue.depth().await.unwrap().waiting == 0).then_some(())
        })
        .await;
    }
}

pub(crate) fn run_on(queue: &Arc<dyn Worked>, handler: &Arc<Scripted>, at_once: usize) -> Running {
    let stop = CancellationToken::new();
    let handler: Arc<dyn Handler> = handler.clone();
    let handlers: Handlers = [(JobKind::CheckIdentity, Registered { handler, at_once })].into();
    let options = Options {
        retry_first: Duration::from_millis(100),
        retry_max: Duration::from_millis(200),
        attempts_max: 3,
    };
    let runner = Runner::new(Arc::clone(queue), handlers, options);
    Running { task: tokio::spawn(runner.run(stop.clone())), stop }
}

pub(crate) struct Running {
    pub(crate) task: JoinHandle<Result<(), Error>>,
    pub(crate) stop: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LONG, self.task).await.unwrap().unwrap().unwrap();
    }
}

type Script = Box<dyn Fn(Job, u32) -> Ran + Send + Sync>;

/// Notes each try, takes its time, and ends as told.
pub(crate) struct Scripted {
    script: Mutex<Script>,
    pub(crate) takes: Duration,
    pub(crate) tries: Mutex<BTreeMap<JobId, Vec<u32>>>,
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(Job, u32) -> Ran + Send + Sync + 'static) -> Arc<Self> {
        Self::taking(Duration::ZERO, script)
    }

    pub(crate) fn taking(
        takes: Duration,
        script: impl Fn(Job, u32) -> Ran + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            takes,
            tries: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    pub(crate) fn becomes(&self, script: impl Fn(Job, u32) -> Ran + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// The tries of a job so far, by their numbers.
    pub(crate) fn tries(&self, job: Job) -> Vec<u32> {
        self.tries.lock().unwrap().get(&job.id()).cloned().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> usize {
        self.tries.lock().unwrap().values().map(Vec::len).sum()
    }
}

#[async_trait]
impl Handler for Scripted {
    async fn run(&self, job: Job, attempt: u32) -> Ran {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.tries.lock().unwrap().entry(job.id()).or_default().push(attempt);
        if self.takes > Duration::ZERO {
            tokio::time::sleep(self.takes).await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        // Not while the lock is held: a script may panic.
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (self.script.lock().unwrap_or_else(std::sync::PoisonError::into_inner))(job, attempt)
        }));
        ran.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Waits until something is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < LONG, "no {what} after {LONG:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
