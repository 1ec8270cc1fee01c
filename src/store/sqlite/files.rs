//! Where the files of a read model lie in a data directory: one a version of the projection, and
//! what is built beside it.

use std::path::{Path, PathBuf};

use ccd402_app::projections::VERSION;

/// Where the file of this version lies in a data directory.
#[must_use]
pub fn path_in(dir: &Path) -> PathBuf {
    Files::new(dir, VERSION).live()
}

/// The files of one version.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: PathBuf,
    version: u32,
}

impl Files {
    pub(super) fn new(dir: impl Into<PathBuf>, version: u32) -> Self {
        Self { dir: dir.into(), version }
    }

    /// What is read.
    pub(super) fn live(&self) -> PathBuf {
        self.named(self.version, "sqlite")
    }

    /// What is built to be read.
    pub(super) fn building(&self) -> PathBuf {
        self.named(self.version, "building.sqlite")
    }

    /// What is built to be compared with what is read.
    pub(super) fn comparing(&self) -> PathBuf {
        self.named(self.version, "comparing.sqlite")
    }

    /// What older versions have left.
    pub(super) fn old(&self) -> impl Iterator<Item = PathBuf> {
        let names = ["sqlite", "building.sqlite", "comparing.sqlite"];
        (1..self.version).flat_map(move |old| names.map(|name| self.named(old, name)))
    }

    fn named(&self, version: u32, name: &str) -> PathBuf {
        self.dir.join(format!("read-model.v{version}.{name}"))
    }
}
