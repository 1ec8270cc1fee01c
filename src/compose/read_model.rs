//! The read model of a process: a file in the data directory, or rows in the database of the log,
//! which one process writes for all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ccd402_app::ports::lease::{Fence, LeaseName};
use ccd402_app::ports::read_model::ReadModel;
use ccd402_app::projections::VERSION;
use ccd402_app::reads::Reads;
use ccd402_store::postgres::{Options as DatabaseOptions, PostgresReadModel};
use ccd402_store::sqlite::SqliteReadModel;
use ccd402_workers::error::Error;
use ccd402_workers::lease::Leasing;
use ccd402_workers::projector::Projector;
use tokio_util::sync::CancellationToken;

use crate::compose::options::Role;
use crate::compose::tasks::Tasks;

/// How soon a rebuild that was asked for here is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// An open read model.
#[derive(Clone)]
pub(crate) enum Model {
    /// In a file of this process alone.
    Sqlite(SqliteReadModel),
    /// In a database.
    Postgres(PostgresReadModel),
}

impl Model {
    /// Opens the one beside the log.
    ///
    /// # Errors
    /// Where the database cannot be reached. A file that cannot be used counts as none.
    pub(crate) async fn open(
        data_dir: &Path,
        database: Option<&DatabaseOptions>,
    ) -> anyhow::Result<Self> {
        Ok(match database {
            Some(options) => Self::Postgres(PostgresReadModel::open(options).await?),
            None => Self::Sqlite(SqliteReadModel::open(data_dir).await),
        })
    }

    /// The port.
    pub(crate) fn port(&self) -> Arc<dyn ReadModel> {
        match self {
            Self::Sqlite(model) => Arc::new(model.clone()),
            Self::Postgres(model) => Arc::new(model.clone()),
        }
    }

    /// Begins to keep it up with the log: a file in every process; rows of a database in the one of
    /// those that work which holds the lease.
    pub(crate) fn begin(
        &self,
        tasks: &mut Tasks,
        (role, leasing): (Role, &Leasing),
        reads: &Arc<Reads>,
    ) {
        let reads = Arc::clone(reads);
        match self {
            Self::Sqlite(_) => tasks.spawn(|stop| Projector::new(reads).run(stop)),
            Self::Postgres(model) => {
                tasks.spawn_watch(pass_on(model.clone(), Arc::clone(&reads)));
                if role == Role::Api {
                    return;
                }
                let (model, leasing) = (model.clone(), leasing.clone());
                tasks.spawn(async move |stop| {
                    let project =
                        |fence, stop| project(model.clone(), Arc::clone(&reads), fence, stop);
                    leasing.while_held(lease(), stop, project).await
                });
            }
        }
    }

    /// Lets it go.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(model) => model.close().await,
            Self::Postgres(model) => model.close().await,
        }
    }
}

/// Who holds it writes the rows. Each version has its own: two of them run side by side while an
/// installation is upgraded.
pub(crate) fn lease() -> LeaseName {
    LeaseName::new(format!("read-model-v{VERSION}"))
}

/// Keeps it up, and builds it again for others that wish for it.
async fn project(
    model: PostgresReadModel,
    reads: Arc<Reads>,
    fence: Option<Fence>,
    stop: CancellationToken,
) -> Result<(), Error> {
    model.hold(fence);
    let wishes = async {
        let mut wished = model.wished();
        while wished.wait_for(|is_wished| *is_wished).await.is_ok() {
            reads.ask_for_rebuild();
            if wished.wait_for(|is_wished| !is_wished).await.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = Projector::new(Arc::clone(&reads)).run(stop) => ended,
        ended = wishes => ended,
    };
    model.hold(None);
    ended
}

/// Passes on to the process that writes the rows what this one is asked for and cannot do.
async fn pass_on(model: PostgresReadModel, reads: Arc<Reads>) {
    loop {
        reads.rebuild_asked().await;
        if model.is_writing() {
            // The projector here takes it up.
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            continue;
        }
        reads.building(0);
        let done = model.ask_others(|position| reads.building(position)).await;
        if let Err(error) = &done {
            tracing::warn!(%error, "the read model is not built again");
        }
        reads.build_ended(done.is_ok());
    }
}
