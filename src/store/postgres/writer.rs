//! The one thread of a replica that appends: takes what waits, and makes it durable as one transaction.
//!
//! All replicas wait for whoever holds the head's lock: it has a thread and a runtime of its own, so
//! that it does not wait in turn behind the requests of its replica.
//!
//! A database that fails in a way that passes is tried again for some seconds; then the callers hear
//! that it cannot be reached, and the next batch tries anew. Only what never passes ends it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ccd402_app::ports::log::AppendError;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Notify;

use super::batch::{self, Settled};
use super::connect::{self, Tries};
use super::status::Status;
use crate::error::Error;
use crate::queue::{Alarm, Batch, Intake};

/// The writer's own.
pub(super) struct Writer {
    pub(super) intake: Intake,
    pub(super) status: Arc<Status>,
    /// Closed with the log.
    pub(super) pool: PgPool,
    pub(super) options: PgConnectOptions,
    pub(super) retry_max: Duration,
    /// Told of each commit.
    pub(super) hint: Arc<Notify>,
    pub(super) connection: Option<PgConnection>,
}

impl Writer {
    /// Starts the thread; it ends once the log is closed or broken.
    pub(super) fn start(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("log-writer".to_owned());
        thread.spawn(move || runtime.block_on(self.run()))?;
        Ok(())
    }

    async fn run(mut self) {
        let alarm = Alarm(Arc::clone(&self.status.load));
        let mut batch = Batch::default();
        while self.intake.next(&mut batch).await && !self.status.load.is_stopped() {
            if self.settle(&mut batch).await.is_err() {
                break;
            }
        }
        let Self { mut intake, pool, connection, .. } = self;
        intake.close();
        drop(batch);
        drop(connection);
        let closing = intake.into_closing();
        pool.close().await;
        drop(alarm);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    async fn settle(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let begun_at = Instant::now();
        self.status.set_appending(true);
        let settled = self.try_some_time(batch).await;
        self.status.set_appending(false);
        let Settled { head, written, outcomes } = match settled {
            Ok(settled) => settled,
            Err(error) if connect::passes(&error) => {
                tracing::warn!(%error, appends = batch.calls.len(), "the log cannot be reached");
                for (_, reply) in batch.drain() {
                    let _ = reply.send(Err(AppendError::Unavailable(error.to_string())));
                }
                return Ok(());
            }
            Err(error) => {
                tracing::error!(%error, "The log cannot be written any more; the process must stop.");
                // Before the replies are dropped: they read as this.
                self.status.load.stop(error.to_string());
                return Err(error);
            }
        };
        let events = written.events.len();
        self.status.appended(head, written);
        if events > 0 {
            self.status.measure.synced(events, begun_at.elapsed());
            self.hint.notify_one();
        }
        for (outcome, (_, reply)) in outcomes.into_iter().zip(batch.drain()) {
            // Who stopped waiting does not want to know.
            let _ = reply.send(outcome);
        }
        Ok(())
    }

    async fn try_some_time(&mut self, batch: &mut Batch) -> Result<Settled, Error> {
        let mut tries = Tries::new(self.retry_max);
        loop {
            match connect::within(self.try_once(batch)).await {
                Ok(settled) => return Ok(settled),
                Err(error) => tries.wait_after(error).await?,
            }
        }
    }

    /// A connection on which anything failed, or was cut off, is not used again.
    async fn try_once(&mut self, batch: &mut Batch) -> Result<Settled, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::connect(&self.options).await?,
        };
        let known = self.status.known();
        let settled = batch::settle(&mut connection, batch, &mut self.intake, known).await?;
        self.connection = Some(connection);
        Ok(settled)
    }
}
