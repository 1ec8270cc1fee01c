//! Keys in the data directory of a facilitator that is not running, or in its database.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use ccd402_app::keys::{Keys, PAGE_MAX};
use ccd402_app::ports::clock::SystemClock;
use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::Terms;
use ccd402_store::postgres::Options as DatabaseOptions;

use crate::compose::log::{CACHE_BYTES, Log};

use super::shown::{Created, Shown};

/// A directory that is open.
pub(super) struct AtRest {
    log: Log,
    keys: Keys,
}

impl AtRest {
    pub(super) async fn open(dir: &Path) -> anyhow::Result<Self> {
        let log = Log::in_dir(dir, CACHE_BYTES).await.with_context(|| {
            format!("cannot use the data directory {}; is its facilitator running?", dir.display())
        })?;
        Self::on(log).await
    }

    pub(super) async fn open_database(url: String) -> anyhow::Result<Self> {
        Self::on(Log::in_database(&DatabaseOptions::new(url)).await?).await
    }

    async fn on(log: Log) -> anyhow::Result<Self> {
        let keys = Keys::load(log.port(), Arc::new(SystemClock)).await?;
        Ok(Self { log, keys })
    }

    pub(super) async fn create(&self, terms: Terms) -> anyhow::Result<Created> {
        let created = self.keys.create(terms).await?.map_err(|why| anyhow!("{why}"))?;
        Ok(Created { shown: Shown::of(&created.key), key: created.text.reveal() })
    }

    pub(super) fn list(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = Vec::new();
        loop {
            let page = self.keys.list(all.last().map(|key| key.id), PAGE_MAX);
            if page.is_empty() {
                return all;
            }
            all.extend(page.iter().map(|key| Shown::of(key)));
        }
    }

    pub(super) async fn revoke(&self, id: KeyId) -> anyhow::Result<Shown> {
        let key = self.keys.revoke(id).await?.map_err(|why| anyhow!("{why}"))?;
        Ok(Shown::of(&key))
    }

    pub(super) async fn close(self) {
        drop(self.keys);
        self.log.close().await;
    }
}
