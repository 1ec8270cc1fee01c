//! Read models of the past: a directory each, in one beside the read model. Nothing is left of them
//! when the process begins anew.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ccd402_app::ports::archive::Archive;
use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{ReadModel, ReadModelError as Error};

use super::SqliteReadModel;

/// Where they lie in a data directory.
const DIR: &str = "past";

/// Read models of the past in a data directory.
pub struct SqliteArchive {
    dir: PathBuf,
}

impl SqliteArchive {
    /// An empty one: what a former process has left is removed.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        let dir = data_dir.join(DIR);
        remove(&dir);
        Self { dir }
    }

    fn of(&self, until: Position) -> PathBuf {
        self.dir.join(until.to_string())
    }
}

#[async_trait]
impl Archive for SqliteArchive {
    async fn open(&self, until: Position) -> Result<Arc<dyn ReadModel>, Error> {
        let dir = self.of(until);
        std::fs::create_dir_all(&dir).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Arc::new(SqliteReadModel::open(dir).await))
    }

    async fn remove(&self, until: Position) {
        remove(&self.of(until));
    }
}

fn remove(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let path = dir.display();
            tracing::warn!(%error, %path, "a read model of the past could not be removed");
        }
        _ => {}
    }
}
