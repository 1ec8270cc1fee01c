//! The read model in SQLite: one file a projection version in the data directory, which any SQLite
//! tool can open. ops/read-model.md says what is in it.
//!
//! A file that is missing, damaged or of another version is not repaired: it is built again beside
//! what is there and swapped in. Nothing is decided by what stands here.

mod archive;
mod codec;
mod compare;
mod file;
mod files;
mod list;
mod live;
mod resources;
mod schema;
mod stats;
mod tallies;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::{
    Checkpoint, Comparison, Filter, Page, Place, ReadModel, ReadModelError as Error, Rebuild, Rows,
    Shelf, Stats, Step, Table,
};
use ccd402_app::projections::VERSION;
use ccd402_domain::account::AccountAddress;
use tokio::sync::{RwLock, watch};

pub use self::archive::SqliteArchive;
use self::compare::Beside;
pub use self::file::{RowFile, remove};
use self::files::Files;
pub use self::files::path_in;
use self::live::Live;

/// SQLite's code of an answer that was cut off.
const INTERRUPTED: &str = "9";
/// SQLite's codes of a damaged file, and of a file that is none of its own.
const DAMAGED: [&str; 2] = ["11", "26"];

/// The read model of a data directory. Clones are handles of the same one.
#[derive(Clone)]
pub struct SqliteReadModel {
    shared: Arc<Shared>,
}

struct Shared {
    files: Files,
    /// Absent until one is built.
    live: RwLock<Option<Live>>,
    position: watch::Sender<Option<Position>>,
}

impl SqliteReadModel {
    /// Opens what there is in a data directory. A file that cannot be used counts as none.
    pub async fn open(dir: impl Into<PathBuf>) -> Self {
        Self::open_version(dir, VERSION).await
    }

    /// As a program whose projection has that version.
    async fn open_version(dir: impl Into<PathBuf>, version: u32) -> Self {
        let files = Files::new(dir, version);
        let path = files.live();
        // What was left by a process that was killed.
        for left in [files.building(), files.comparing()] {
            if let Err(error) = remove(&left) {
                tracing::warn!(%error, "what was half built could not be removed");
            }
        }
        let live = match path.exists() {
            true => Live::open(&path).await.map(Some),
            false => Ok(None),
        };
        let live = live.unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the read model must be built again");
            None
        });
        let position = match &live {
            Some(live) => Some(live.checkpoint().await.position),
            None => None,
        };
        let (position, live) = (watch::Sender::new(position), RwLock::new(live));
        Self { shared: Arc::new(Shared { files, live, position }) }
    }

    /// Closes the file; later calls find none.
    pub async fn close(&self) {
        self.shared.close().await;
    }
}

impl Shared {
    async fn close(&self) {
        let mut live = self.live.write().await;
        self.position.send_replace(None);
        if let Some(open) = live.take()
            && let Err(error) = open.close().await
        {
            tracing::warn!(%error, "the read model was not closed in good order");
        }
    }

    /// Nothing more is read from a file that has turned out to be damaged.
    async fn judge<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Damaged(reason)) = &answer {
            tracing::error!(reason, "the read model is damaged and will be built again");
            self.close().await;
        }
        answer
    }

    /// Puts a finished file in the place of the one that is read, and reads it.
    async fn swap(&self, finished: &Path) -> Result<(), Error> {
        let mut live = self.live.write().await;
        self.position.send_replace(None);
        if let Some(old) = live.take() {
            // What is to be replaced may be damaged.
            if let Err(error) = old.close().await {
                tracing::warn!(%error, "the old read model was not closed in good order");
            }
        }
        let path = self.files.live();
        file::replace(finished, &path)?;
        let new = Live::open_new(&path).await?;
        self.position.send_replace(Some(new.checkpoint().await.position));
        *live = Some(new);
        Ok(())
    }

    /// Removes the files of older versions.
    fn clear_old(&self) -> Result<(), Error> {
        self.files.old().try_for_each(|path| remove(&path))
    }
}

#[async_trait]
impl ReadModel for SqliteReadModel {
    fn position(&self) -> watch::Receiver<Option<Position>> {
        self.shared.position.subscribe()
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        match &*self.shared.live.read().await {
            Some(live) => Ok(Some(live.checkpoint().await)),
            None => Ok(None),
        }
    }

    async fn apply(&self, events: &[Recorded]) -> Result<(), Error> {
        let applied = match &*self.shared.live.read().await {
            Some(live) => live.apply(events).await,
            None => Err(Error::Building),
        };
        let position = self.shared.judge(applied).await?;
        self.shared.position.send_if_modified(|at| at.replace(position) != Some(position));
        Ok(())
    }

    async fn list(&self, filter: &Filter, after: Option<Place>, max: usize) -> Result<Page, Error> {
        let listed = match &*self.shared.live.read().await {
            Some(live) => list::list(live, filter, after, max).await,
            None => Err(Error::Building),
        };
        self.shared.judge(listed).await
    }

    async fn stats(&self, filter: &Filter, step: Step) -> Result<Stats, Error> {
        let counted = match &*self.shared.live.read().await {
            Some(live) => stats::stats(live, filter, step).await,
            None => Err(Error::Building),
        };
        self.shared.judge(counted).await
    }

    async fn overview(&self, asked: &Asked) -> Result<Overview, Error> {
        let told = match &*self.shared.live.read().await {
            Some(live) => tallies::overview(live, asked).await,
            None => Err(Error::Building),
        };
        self.shared.judge(told).await
    }

    async fn payers(&self, filter: &Filter) -> Result<Table<AccountAddress>, Error> {
        let counted = match &*self.shared.live.read().await {
            Some(live) => stats::payers(live, filter).await,
            None => Err(Error::Building),
        };
        self.shared.judge(counted).await
    }

    async fn resources(&self, skip: u64, max: usize) -> Result<Shelf, Error> {
        let read = match &*self.shared.live.read().await {
            Some(live) => resources::page(live, skip, max).await,
            None => Err(Error::Building),
        };
        self.shared.judge(read).await
    }

    async fn discard(&self) {
        self.shared.close().await;
    }

    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, Error> {
        let file = RowFile::create(&self.shared.files.building()).await?;
        Ok(Box::new(Building { shared: Arc::clone(&self.shared), file }))
    }

    async fn compare(&self) -> Result<Box<dyn Comparison>, Error> {
        Ok(Box::new(Beside::create(Arc::clone(&self.shared)).await?))
    }
}

/// A file that will be swapped in.
struct Building {
    shared: Arc<Shared>,
    file: RowFile,
}

#[async_trait]
impl Rows for Building {
    fn position(&self) -> Position {
        self.file.position()
    }

    async fn apply(&mut self, events: &[Recorded]) -> Result<(), Error> {
        self.file.apply(events).await
    }
}

#[async_trait]
impl Rebuild for Building {
    async fn swap_in(self: Box<Self>) -> Result<(), Error> {
        let Self { shared, file } = *self;
        file.finish().await?;
        shared.swap(&shared.files.building()).await?;
        shared.clear_old()
    }
}

/// What an error of SQLite's means to whoever asked.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failure(error: sqlx::Error) -> Error {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return Error::Busy;
    }
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(INTERRUPTED) => Error::TooLarge,
        Some(code) if DAMAGED.contains(&code) => Error::Damaged(error.to_string()),
        _ => Error::Failed(error.to_string()),
    }
}
