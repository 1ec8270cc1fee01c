//! Where proofs are made and checked: off the async threads, so many at once, so many waiting.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::available_parallelism,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use crate::error::Error;

/// How many proofs may be worked on, and how many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Proofs at once. Default: one a core.
    pub running_max: NonZeroUsize,
    /// Proofs that wait for their turn; one more is refused as `Busy`. Default 256: a few seconds
    /// of work.
    pub waiting_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        let running_max = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { running_max, waiting_max: 256 }
    }
}

/// Threads for work that only computes. They take the next work without the runtime's help, so that
/// no core waits for it.
#[derive(Clone)]
pub(crate) struct Processors {
    admitted: Arc<Semaphore>,
    threads: Arc<ThreadPool>,
}

impl Processors {
    /// # Panics
    /// Where the system gives no more threads.
    pub(crate) fn new(options: Options) -> Self {
        let running = options.running_max.get();
        let admitted = running.saturating_add(options.waiting_max).min(Semaphore::MAX_PERMITS);
        let threads = ThreadPoolBuilder::new()
            .num_threads(running)
            .thread_name(|number| format!("proofs-{number}"))
            .build()
            .expect("the system has threads left");
        Self { admitted: Arc::new(Semaphore::new(admitted)), threads: Arc::new(threads) }
    }

    /// Does the work when it is its turn; none if the work panicked.
    ///
    /// # Errors
    /// `Busy` when as much waits as may.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Error::Busy)?;
        let (done, is_done) = oneshot::channel();
        self.threads.spawn(move || {
            // Kept by the work itself, which goes on when its caller has gone.
            let admitted = admitted;
            // Nothing is left behind half done: the work owns all that it touches.
            let result = catch_unwind(AssertUnwindSafe(work)).ok();
            drop(admitted);
            let _ = done.send(result);
        });
        is_done.await.map_err(|_| Error::Unavailable("the processors are gone".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn one_at_once() -> Processors {
        Processors::new(Options { running_max: NonZeroUsize::MIN, waiting_max: 0 })
    }

    #[tokio::test]
    async fn more_than_may_wait_is_busy_and_the_turn_comes_back() {
        let processors = one_at_once();
        let (release, released) = mpsc::channel::<()>();
        let (start, started) = tokio::sync::oneshot::channel();
        let first = processors.clone();
        let first = tokio::spawn(async move {
            first
                .run(move || {
                    start.send(()).unwrap();
                    released.recv().unwrap();
                    1
                })
                .await
        });
        started.await.unwrap();
        assert_eq!(processors.run(|| 2).await, Err(Error::Busy));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(Some(1)));
        assert_eq!(processors.run(|| 3).await, Ok(Some(3)));
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_turn_back() {
        let processors = one_at_once();
        let panicked = processors.run(|| panic!("as a malformed proof might")).await;
        assert_eq!(panicked, Ok(None::<()>));
        assert_eq!(processors.run(|| 3).await, Ok(Some(3)));
    }
}
