//! The tasks of a process, which end together.

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks that run until they are told to stop.
#[derive(Default)]
pub(crate) struct Tasks {
    shutdown: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
}

impl Tasks {
    /// What tells them to stop.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Begins one that ends soon after it is told to.
    pub(crate) fn spawn<F, E>(&mut self, begin: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let running = begin(self.shutdown.clone());
        self.running.spawn(async move { running.await.map_err(Into::into) });
    }

    /// Begins one that may be dropped at any point.
    pub(crate) fn spawn_watch(&mut self, watch: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.running.spawn(async move {
            shutdown.run_until_cancelled_owned(watch).await;
            Ok(())
        });
    }

    /// Waits for the first that ends though nobody told it to.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow::anyhow!("a part of the facilitator panicked: {error}"),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the facilitator ended"),
        }
    }

    /// Tells all to stop and waits for them.
    ///
    /// # Errors
    /// That of the first which failed.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let mut first = Ok(());
        while let Some(ended) = self.running.join_next().await {
            let ended = ended.context("a part of the facilitator panicked").and_then(|r| r);
            first = first.and(ended);
        }
        first
    }
}
