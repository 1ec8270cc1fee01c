//! A log and the read model beside it, opened without a facilitator: in a directory of one that is
//! stopped, or in a database, where facilitators may run.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use ccd402_app::ports::lease::{Fence, Leases};
use ccd402_store::postgres::{Options, PostgresReadModel};
use ccd402_workers::lease::Leasing;

use super::until_interrupted;
use crate::cli::events::source::{Where, log_dir};
use crate::compose::log::{CACHE_BYTES, Log};
use crate::compose::read_model::{Model, lease};

/// Both, open.
pub(super) struct Place {
    pub(super) log: Log,
    pub(super) model: Model,
    /// For people.
    pub(super) name: String,
}

impl Place {
    /// Opens what is named; `None` where a server is to be asked.
    ///
    /// # Errors
    /// Where the directory holds no log, or a facilitator runs on it; where the database cannot be
    /// used.
    pub(super) async fn open(of: &Where) -> anyhow::Result<Option<Self>> {
        Ok(match (&of.database_url, &of.data_dir) {
            (Some(url), _) => {
                let options = Options::new(url);
                let log = Log::in_database(&options).await?;
                let model = Model::Postgres(PostgresReadModel::open(&options).await?);
                Some(Self { log, model, name: "the database".to_owned() })
            }
            (None, Some(dir)) => {
                log_dir(dir)?;
                let log = Log::in_dir(dir, CACHE_BYTES).await?;
                let model = Model::open(dir, None).await?;
                Some(Self { log, model, name: dir.display().to_string() })
            }
            (None, None) => None,
        })
    }

    /// Runs something, until the end or Ctrl-C, and closes both. What is half built is removed.
    pub(super) async fn run<R>(
        &self,
        run: impl Future<Output = anyhow::Result<R>>,
    ) -> anyhow::Result<R> {
        let ended = until_interrupted(run).await;
        self.model.close().await;
        self.log.close().await;
        ended
    }

    /// Runs something that writes the read model, as the only one that does.
    ///
    /// # Errors
    /// Where a facilitator does.
    pub(super) async fn run_writing<R>(
        &self,
        run: impl Future<Output = anyhow::Result<R>>,
    ) -> anyhow::Result<R> {
        let (Model::Postgres(model), Leasing::Shared(leases)) = (&self.model, self.log.leasing())
        else {
            return self.run(run).await;
        };
        let fence = leases.take(&lease()).await?.context(
            "a facilitator that runs writes the read model of the database: ask it, with --url",
        )?;
        model.hold(Some(fence.clone()));
        let writing = async {
            tokio::select! {
                ended = run => ended,
                ended = keep(&leases, &fence) => ended,
            }
        };
        let ended = until_interrupted(writing).await;
        self.model.close().await;
        leases.give_up(&fence).await?;
        self.log.close().await;
        ended
    }
}

/// Renews a lease, until it is lost.
async fn keep<R>(leases: &Arc<dyn Leases>, fence: &Fence) -> anyhow::Result<R> {
    loop {
        tokio::time::sleep(leases.term() / 4).await;
        if !leases.renew(fence).await? {
            bail!("another process writes the read model now");
        }
    }
}
