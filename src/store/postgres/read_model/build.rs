//! Rows that are being built, in tables of their own, by a connection of their own.
//!
//! What becomes of them is decided by who builds: they are swapped in, or compared, or dropped, and
//! then removed. What a process that was killed has left is kept for an hour; then whoever writes
//! the read model removes it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::read_model::{Checkpoint, ReadModelError, Rebuild, Rows};
use sqlx::PgConnection;

use super::connection::{Writer, advise, to_index};
use super::failure::{Again, Failure, retry};
use super::fence::Held;
use super::schema::Build;
use super::write::BEGINNING;
use super::{Shared, bounded, catalog, write};

/// How often to try again where another process makes the same tables.
const TRIES_MAX: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Rows beside those that are read.
pub(super) struct Beside {
    pub(super) shared: Arc<Shared>,
    pub(super) build: Build,
    /// What is shown with each write; rows that nobody else will read need nothing.
    held: Option<Held>,
    checkpoint: Checkpoint,
    writer: Writer,
    /// Whether somebody reads them now.
    is_read: bool,
}

impl Beside {
    /// Begins.
    pub(super) async fn create(
        shared: Arc<Shared>,
        held: Option<Held>,
    ) -> Result<Self, ReadModelError> {
        let mut writer = Writer::new(shared.options.clone(), true);
        let (mut again, mut tries) = (Again::new(shared.retry_max), 0);
        let build = loop {
            // Each try is another build: one whose commit was not heard of is left behind.
            let build = Build::new(shared.version);
            match bounded(create(&mut writer, &build, held.as_ref())).await {
                Ok(()) => break build,
                Err(failure) if failure.is_made() && tries < TRIES_MAX => {
                    tries += 1;
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                Err(failure) => again.after(failure).await?,
            }
        };
        Ok(Self { shared, build, held, checkpoint: BEGINNING, writer, is_read: false })
    }

    /// Makes the indexes of lists, and has the planner know what there is.
    async fn finish(&mut self) -> Result<(), ReadModelError> {
        let mut again = Again::new(self.shared.retry_max);
        loop {
            match self.try_finish().await {
                Ok(()) => return Ok(()),
                Err(failure) => again.after(failure).await?,
            }
        }
    }

    async fn try_finish(&mut self) -> Result<(), Failure> {
        let mut connection = self.writer.take().await?;
        to_index(&mut connection).await?;
        for statement in self.build.index() {
            catalog::execute(&mut connection, statement).await?;
            // It is not left behind, however long this takes.
            catalog::move_to(&mut connection, &self.build, self.checkpoint).await?;
        }
        advise(&mut connection, self.build.analyze()).await?;
        self.writer.put_back(connection);
        Ok(())
    }

    async fn try_apply(&mut self, events: &[Recorded]) -> Result<Checkpoint, Failure> {
        let mut connection = self.writer.take().await?;
        let next = write::apply(&mut connection, &self.build, self.held.as_ref(), events).await?;
        self.writer.put_back(connection);
        Ok(next)
    }

    /// A connection to read what is in it already.
    pub(super) async fn connection(&mut self) -> Result<PgConnection, Failure> {
        self.writer.take().await
    }
}

async fn create(writer: &mut Writer, build: &Build, held: Option<&Held>) -> Result<(), Failure> {
    let mut connection = writer.take().await?;
    match catalog::create(&mut connection, build, BEGINNING, held).await {
        Err(failure) if failure.is_gone() => {
            catalog::prepare(&mut connection).await?;
            catalog::create(&mut connection, build, BEGINNING, held).await?;
        }
        created => created?,
    }
    advise(&mut connection, build.advise()).await?;
    writer.put_back(connection);
    Ok(())
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_read {
            self.shared.remove_later(self.build.clone());
        }
    }
}

#[async_trait]
impl Rows for Beside {
    fn position(&self) -> Position {
        self.checkpoint.position
    }

    async fn apply(&mut self, events: &[Recorded]) -> Result<(), ReadModelError> {
        let mut again = Again::new(self.shared.retry_max);
        loop {
            match bounded(self.try_apply(events)).await {
                Ok(next) => {
                    self.checkpoint = next;
                    return Ok(());
                }
                Err(failure) => again.after(failure).await?,
            }
        }
    }
}

#[async_trait]
impl Rebuild for Beside {
    async fn swap_in(mut self: Box<Self>) -> Result<(), ReadModelError> {
        let Some(held) = self.held.clone() else { return Err(ReadModelError::Fenced) };
        self.finish().await?;
        let (shared, build) = (Arc::clone(&self.shared), self.build.clone());
        let point = || {
            bounded(async {
                let mut db = shared.own.acquire().await?;
                catalog::point(&mut db, &build, &held).await
            })
        };
        let checkpoint = retry(shared.retry_max, point).await?;
        self.is_read = true;
        shared.known.moved(&build, checkpoint.position);
        Ok(())
    }
}
