//! The one task of a replica that appends: takes what waits, and makes it durable as one transaction.
//!
//! A database that fails in a way that passes is tried again for some seconds; then the callers hear
//! that it cannot be reached, and the next batch tries anew. Only what never passes ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_app::ports::log::AppendError;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Notify;

use super::batch::{self, Settled};
use super::connect::{self, Tries};
use super::status::Status;
use crate::error::Error;
use crate::prepare::Call;
use crate::queue::{Alarm, Asked, Intake};

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
    /// Whether nobody else has appended since this replica did.
    pub(super) is_alone: bool,
}

impl Writer {
    /// Runs until the log is closed or broken.
    pub(super) async fn run(mut self) {
        let alarm = Alarm(Arc::clone(&self.status.load));
        let mut batch = Vec::new();
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

    async fn settle(&mut self, batch: &mut Vec<Asked>) -> Result<(), Error> {
        let begun_at = Instant::now();
        let (calls, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let Settled { head, written, outcomes } = match self.try_some_time(&calls).await {
            Ok(settled) => settled,
            Err(error) if connect::passes(&error) => {
                tracing::warn!(%error, appends = calls.len(), "the log cannot be reached");
                for reply in replies {
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
        self.is_alone = head == self.status.known().tip;
        self.status.appended(head, written);
        if events > 0 {
            self.status.measure.synced(events, begun_at.elapsed());
            self.hint.notify_one();
        }
        for (outcome, reply) in outcomes.into_iter().zip(replies) {
            // Who stopped waiting does not want to know.
            let _ = reply.send(outcome);
        }
        Ok(())
    }

    async fn try_some_time(&mut self, calls: &[Call]) -> Result<Settled, Error> {
        let mut tries = Tries::new(self.retry_max);
        loop {
            match connect::within(self.try_once(calls)).await {
                Ok(settled) => return Ok(settled),
                Err(error) => tries.wait_after(error).await?,
            }
        }
    }

    /// A connection on which anything failed, or was cut off, is not used again.
    async fn try_once(&mut self, calls: &[Call]) -> Result<Settled, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::connect(&self.options).await?,
        };
        let known = self.status.known();
        let settled = batch::settle(&mut connection, calls, self.is_alone, known).await?;
        self.connection = Some(connection);
        Ok(settled)
    }
}
