//! The read model in PostgreSQL: rows in the database of the log, which one process writes and all
//! replicas read. ops/read-model.md says what is in it.
//!
//! Each version of the projection reads tables of its own. They are not migrated: they are built
//! again beside those that are read, and one row that names a build says which are read. Who may
//! write is decided by a lease; who holds it is not decided here.

mod build;
mod catalog;
mod codec;
mod compare;
mod connection;
mod failure;
mod fence;
mod known;
mod list;
mod listed;
mod looker;
mod schema;
mod shelf;
mod stats;
mod tallies;
mod view;
mod wish;
mod write;

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod same_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
#[cfg(test)]
mod versions_tests;

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::log::{Position, Recorded};
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::{
    Checkpoint, Comparison, Filter, Page, Place, ReadModel, ReadModelError as Error, Rebuild,
    Shelf, Stats, Step,
};
use ccd402_app::projections::VERSION;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;

use self::build::Beside;
use self::catalog::Current;
use self::compare::Comparing;
use self::connection::Writer;
use self::failure::{Again, Failure, retry};
use self::fence::Held;
use self::known::Known;
use self::list::List;
use self::schema::Build;
use self::shelf::Part;
use self::stats::Count;
use self::tallies::Glance;
use self::view::Readers;
use super::{Options, connect};

/// Longest that one try of writing may take.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// Lists that are read at once.
const LISTERS: u32 = 4;
/// Statistics that are counted at once.
const COUNTERS: u32 = 2;

/// The read model in a database, as one replica sees it. Clones are handles of the same replica.
#[derive(Clone)]
pub struct PostgresReadModel {
    shared: Arc<Shared>,
}

struct Shared {
    version: u32,
    retry_max: Duration,
    options: PgConnectOptions,
    known: Known,
    /// What this process shows to write; without it, it only reads.
    held: StdMutex<Option<Held>>,
    /// One at a time writes what is read.
    writer: Mutex<Writer>,
    listers: Readers,
    counters: Readers,
    own: PgPool,
    /// Has the looker look now.
    hint: Arc<Notify>,
    /// Builds that are being removed.
    removals: StdMutex<JoinSet<()>>,
}

impl PostgresReadModel {
    /// Opens what there is in a database whose schema is up to date.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        Self::open_version(options, VERSION).await
    }

    /// As a program whose projection has that version.
    async fn open_version(options: &Options, version: u32) -> Result<Self, Error> {
        let connect_options = connect::parse(&options.url).map_err(Failure::from)?;
        let retry_max = options.retry_max;
        let readers = |pool| Readers::new(pool, version, retry_max);
        let listers = connection::to_list(options, LISTERS).map_err(Failure::from)?;
        let counters = connection::to_count(options, COUNTERS).map_err(Failure::from)?;
        let own = connection::own(options).map_err(Failure::from)?;
        let shared = Arc::new(Shared {
            version,
            retry_max,
            known: Known::new(),
            held: StdMutex::default(),
            writer: Mutex::new(Writer::new(connect_options.clone(), false)),
            listers: readers(listers),
            counters: readers(counters),
            options: connect_options,
            own,
            hint: Arc::default(),
            removals: StdMutex::default(),
        });
        let look = || async { Ok(shared.look().await?) };
        retry(retry_max, look).await?;
        tokio::spawn(looker::run(Arc::downgrade(&shared), options.poll));
        Ok(Self { shared })
    }

    /// Lets this process write, for as long as nobody takes the lease over; or only read, from now
    /// on.
    pub fn hold(&self, fence: Option<Fence>) {
        *self.shared.lock_held() = fence.map(Held);
        // What others have written before is seen before anything is written here.
        self.look_soon();
    }

    /// Has it look now how far it has come: somebody has heard that it has come on.
    pub fn look_soon(&self) {
        self.shared.hint.notify_one();
    }

    /// Ends what it still does, and closes the connections; later calls fail.
    pub async fn close(&self) {
        let mut removals = std::mem::take(&mut *self.shared.lock_removals());
        while removals.join_next().await.is_some() {}
        *self.shared.lock_held() = None;
        self.shared.known.close();
        self.shared.listers.close().await;
        self.shared.counters.close().await;
        self.shared.own.close().await;
        self.look_soon();
    }
}

impl Shared {
    fn held(&self) -> Option<Held> {
        self.lock_held().clone()
    }

    /// What is read now, and not of no use.
    async fn current(&self, db: &mut PgConnection) -> Result<Current, Failure> {
        let current = catalog::current(db, self.version).await?;
        let current = current.filter(|current| !self.known.is_refused(&current.build));
        current.ok_or(Failure::Model(Error::Building))
    }

    async fn apply(&self, held: &Held, events: &[Recorded]) -> Result<(), Error> {
        let mut writer = self.writer.lock().await;
        let mut again = Again::new(self.retry_max);
        loop {
            match bounded(self.try_apply(&mut writer, held, events)).await {
                Ok((build, position)) => {
                    self.known.moved(&build, position);
                    return Ok(());
                }
                Err(failure) => again.after(failure).await?,
            }
        }
    }

    async fn try_apply(
        &self,
        writer: &mut Writer,
        held: &Held,
        events: &[Recorded],
    ) -> Result<(Build, Position), Failure> {
        let mut db = writer.take().await?;
        let build = self.current(&mut db).await?.build;
        let checkpoint = write::apply(&mut db, &build, Some(held), events).await?;
        writer.put_back(db);
        Ok((build, checkpoint.position))
    }

    /// Nothing more is read of rows that have turned out to be damaged.
    async fn judge<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Damaged(reason)) = &answer {
            tracing::error!(reason, "the read model is damaged and must be built again");
            self.refuse().await;
        }
        answer
    }

    /// Stops reading what there is; has everybody stop where this process may write.
    async fn refuse(&self) {
        let build = self.known.refuse();
        let (Some(build), Some(held)) = (build, self.held()) else { return };
        let unpoint = || {
            bounded(async {
                let mut db = self.own.acquire().await?;
                catalog::unpoint(&mut db, &build, &held).await
            })
        };
        if let Err(error) = retry(self.retry_max, unpoint).await {
            tracing::warn!(%error, "others still read what is of no use");
        }
    }

    /// Removes a build that nobody reads, beside everything else.
    fn remove_later(self: &Arc<Self>, build: Build) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::clone(self);
        let removing = async move {
            let remove = || {
                bounded(async {
                    let mut db = shared.own.acquire().await?;
                    catalog::remove(&mut db, &build).await
                })
            };
            if let Err(error) = retry(shared.retry_max, remove).await {
                tracing::debug!(%error, "what is left of a build is not removed yet");
            }
        };
        self.lock_removals().spawn_on(removing, &runtime);
    }

    /// A panic elsewhere leaves it as it was before or after.
    fn lock_held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_removals(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bounds one try of writing.
async fn bounded<R>(run: impl Future<Output = Result<R, Failure>>) -> Result<R, Failure> {
    within(WRITE_MAX, run).await
}

/// Bounds something.
async fn within<R>(
    max: Duration,
    run: impl Future<Output = Result<R, Failure>>,
) -> Result<R, Failure> {
    let unanswered = || Failure::Database(crate::error::Error::Unanswered(max));
    tokio::time::timeout(max, run).await.map_err(|_| unanswered())?
}

#[async_trait]
impl ReadModel for PostgresReadModel {
    fn position(&self) -> watch::Receiver<Option<Position>> {
        self.shared.known.position()
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let shared = &*self.shared;
        let ask = || async {
            let mut db = shared.own.acquire().await?;
            match shared.current(&mut db).await {
                Ok(current) => Ok(Some(current.checkpoint)),
                Err(Failure::Model(Error::Building)) => Ok(None),
                Err(failure) => Err(failure),
            }
        };
        retry(shared.retry_max, ask).await
    }

    async fn apply(&self, events: &[Recorded]) -> Result<(), Error> {
        let held = self.shared.held().ok_or(Error::Fenced)?;
        let applied = self.shared.apply(&held, events).await;
        self.shared.judge(applied).await
    }

    async fn list(&self, filter: &Filter, after: Option<Place>, max: usize) -> Result<Page, Error> {
        let shared = &*self.shared;
        let list = List { filter, after, max };
        let listed = shared.listers.answer(&list, |build| shared.known.is_refused(build)).await;
        shared.judge(listed).await
    }

    async fn stats(&self, filter: &Filter, step: Step) -> Result<Stats, Error> {
        let shared = &*self.shared;
        let count = Count { filter, step };
        let counted = shared.counters.answer(&count, |build| shared.known.is_refused(build)).await;
        shared.judge(counted).await
    }

    async fn overview(&self, asked: &Asked) -> Result<Overview, Error> {
        let shared = &*self.shared;
        let glance = Glance(asked);
        let told = shared.listers.answer(&glance, |build| shared.known.is_refused(build)).await;
        shared.judge(told).await
    }

    async fn resources(&self, skip: u64, max: usize) -> Result<Shelf, Error> {
        let shared = &*self.shared;
        let part = Part { skip, max };
        let read = shared.listers.answer(&part, |build| shared.known.is_refused(build)).await;
        shared.judge(read).await
    }

    async fn discard(&self) {
        self.shared.refuse().await;
    }

    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, Error> {
        let held = self.shared.held().ok_or(Error::Fenced)?;
        self.shared.tidy().await;
        Ok(Box::new(Beside::create(Arc::clone(&self.shared), Some(held)).await?))
    }

    /// Any replica may: what it makes is its own, and nobody else reads it.
    async fn compare(&self) -> Result<Box<dyn Comparison>, Error> {
        Ok(Box::new(Comparing::new(Beside::create(Arc::clone(&self.shared), None).await?)))
    }
}
