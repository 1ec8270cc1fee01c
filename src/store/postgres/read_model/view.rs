//! Questions: each is answered from one snapshot of what is read, by a connection that only reads,
//! within bounds.
//!
//! A build that was replaced and dropped while it was asked is looked up anew. What is asked is not
//! said here.

use std::time::{Duration, Instant};

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::ReadModelError;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, QueryBuilder, Transaction};
use tokio::sync::Semaphore;

use super::catalog::{self, Current};
use super::failure::{Failure, retry};
use super::schema::Build;
use crate::error::Error;

/// Longest that a question waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(5);
/// Longest that the answer to one may take.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longest that the database may take to say that it took too long.
const SAY_MAX: Duration = Duration::from_secs(2);
/// From then on each statement may only take what is left.
const LATE: Duration = Duration::from_secs(1);
/// Everything that is asked sees the same rows.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Who answers questions of one kind: as many at once as there are connections.
pub(super) struct Readers {
    pool: PgPool,
    turns: Semaphore,
    version: u32,
    retry_max: Duration,
}

/// A question's own view of the rows, which stays as it is until it is dropped.
pub(super) struct View {
    transaction: Transaction<'static, Postgres>,
    pub(super) build: Build,
    pub(super) as_of: Position,
    begun_at: Instant,
}

/// Something that is asked of one view.
pub(super) trait Question: Sync {
    /// What comes of it.
    type Answer: Send;

    /// Asks.
    fn ask(&self, view: &mut View) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

impl Readers {
    pub(super) fn new(pool: PgPool, version: u32, retry_max: Duration) -> Self {
        let turns = Semaphore::new(pool.options().get_max_connections() as usize);
        Self { pool, turns, version, retry_max }
    }

    /// Answers a question; `is_refused` says which build is of no use.
    pub(super) async fn answer<Q: Question>(
        &self,
        question: &Q,
        is_refused: impl Fn(&Build) -> bool + Sync,
    ) -> Result<Q::Answer, ReadModelError> {
        let turn = tokio::time::timeout(TURN_MAX, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(ReadModelError::Busy) };
        retry(self.retry_max, || self.try_answer(question, &is_refused)).await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection as questions are asked by.
    #[cfg(test)]
    pub(super) async fn connection(&self) -> sqlx::pool::PoolConnection<Postgres> {
        self.pool.acquire().await.unwrap()
    }

    /// How many more questions could be answered now.
    #[cfg(test)]
    pub(super) fn turns_left(&self) -> usize {
        self.turns.available_permits()
    }

    async fn try_answer<Q: Question>(
        &self,
        question: &Q,
        is_refused: &(impl Fn(&Build) -> bool + Sync),
    ) -> Result<Q::Answer, Failure> {
        let answering = async {
            let mut transaction = self.pool.begin_with(SNAPSHOT).await?;
            let found = catalog::current(&mut transaction, self.version).await?;
            let current = found.filter(|current| !is_refused(&current.build));
            let Some(Current { build, checkpoint, .. }) = current else {
                return Err(ReadModelError::Building.into());
            };
            let (as_of, begun_at) = (checkpoint.position, Instant::now());
            let mut view = View { transaction, build, as_of, begun_at };
            let answer = question.ask(&mut view).await?;
            view.transaction.rollback().await?;
            Ok(answer)
        };
        let max = ANSWER_MAX + SAY_MAX;
        let unanswered = || Failure::Database(Error::Unanswered(max));
        tokio::time::timeout(max, answering).await.map_err(|_| unanswered())?
    }
}

impl View {
    /// The rows of a statement. It is planned for what is bound to it, each time: plans that suit
    /// all values suit none where one status has nearly all rows.
    pub(super) async fn rows(
        &mut self,
        query: &mut QueryBuilder<Postgres>,
    ) -> Result<Vec<PgRow>, Failure> {
        let spent = self.begun_at.elapsed();
        let left = ANSWER_MAX.checked_sub(spent).ok_or(ReadModelError::TooLarge)?;
        if spent > LATE {
            let mut limit = QueryBuilder::<Postgres>::new("SET LOCAL statement_timeout = ");
            limit.push(left.as_millis().max(1));
            limit.build().persistent(false).execute(&mut *self.transaction).await?;
        }
        Ok(query.build().persistent(false).fetch_all(&mut *self.transaction).await?)
    }
}
