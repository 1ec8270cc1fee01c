//! Connections of the read model: how each kind is set up.
//!
//! What an engine other than PostgreSQL's own does not know of a planner, it may refuse: that is
//! advice, and nothing rests on it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection};

use super::failure::Failure;
use super::view::ANSWER_MAX;
use crate::error::Error;
use crate::postgres::{Options, connect};

/// Longest that a question waits for a connection; the next try is not far.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Connections for looks, and for changes of what is read.
const OWN: u32 = 2;
/// Longest that rows are held to be compared: the database keeps all that was written since.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(30 * 60);
/// Longest that one page of rows that are compared may take.
const PAGE_MAX: Duration = Duration::from_secs(60);

/// Changes find their rows by index, however many the planner believes that there are.
const WRITING: [&str; 3] =
    ["SET enable_seqscan = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off"];
/// What is built is made durable once it is whole: with the commit that has it read.
const BUILDING: [&str; 1] = ["SET synchronous_commit = off"];
const INDEXING: [&str; 2] = ["SET statement_timeout = 0", "SET maintenance_work_mem = '256MB'"];
/// A page is read in the order of an index, up to where it ends; the planner, which may believe that
/// hardly any row fits, would rather sort all of them.
const LISTING: [&str; 3] =
    ["SET enable_sort = off", "SET enable_seqscan = off", "SET enable_bitmapscan = off"];
/// Compiling a question costs more than its answer.
const COUNTING: [&str; 1] = ["SET jit = off"];

/// A connection of a writer's own, made where there is none; one on which anything failed, or was
/// cut off, is not used again.
pub(super) struct Writer {
    options: PgConnectOptions,
    /// Whether what it writes is read only once all of it is written.
    is_building: bool,
    connection: Option<PgConnection>,
}

impl Writer {
    pub(super) fn new(options: PgConnectOptions, is_building: bool) -> Self {
        Self { options, is_building, connection: None }
    }

    pub(super) async fn take(&mut self) -> Result<PgConnection, Failure> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = connect::connect(&self.options).await?;
        advise(&mut connection, WRITING).await?;
        if self.is_building {
            advise(&mut connection, BUILDING).await?;
        }
        Ok(connection)
    }

    pub(super) fn put_back(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }
}

/// Connections for lists; made as they are needed.
pub(super) fn to_list(options: &Options, max: u32) -> Result<PgPool, Error> {
    to_read(options, max, LISTING.to_vec())
}

/// Connections for statistics, which may take long: lists do not wait for them.
pub(super) fn to_count(options: &Options, max: u32) -> Result<PgPool, Error> {
    to_read(options, max, COUNTING.to_vec())
}

fn to_read(options: &Options, max: u32, advice: Vec<&'static str>) -> Result<PgPool, Error> {
    let pool = PgPoolOptions::new().max_connections(max).acquire_timeout(CONNECT_MAX);
    let pool = pool.after_connect(move |connection, _| {
        let advice = advice.clone();
        Box::pin(async move {
            connect::set_up(connection).await?;
            // A lock that is waited for is part of the answer's time.
            sqlx::raw_sql("SET lock_timeout = 0").execute(&mut *connection).await?;
            limit(connection, ANSWER_MAX).await?;
            advise(connection, advice).await
        })
    });
    Ok(pool.connect_lazy_with(connect::parse(&options.url)?))
}

/// Connections for everything that is short.
pub(super) fn own(options: &Options) -> Result<PgPool, Error> {
    let pool = PgPoolOptions::new().max_connections(OWN).acquire_timeout(CONNECT_MAX);
    let pool = pool.after_connect(|connection, _| Box::pin(connect::set_up(connection)));
    Ok(pool.connect_lazy_with(connect::parse(&options.url)?))
}

/// A connection that holds what is read, as it is now, for no longer than it may.
pub(super) async fn holding(options: &PgConnectOptions) -> Result<PgConnection, Failure> {
    let mut connection = options.connect().await?;
    limit(&mut connection, PAGE_MAX).await?;
    let idle = format!("SET idle_in_transaction_session_timeout = {}", HOLD_MAX.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(idle)).execute(&mut connection).await?;
    Ok(connection)
}

/// Lets statements take as long as it takes to make an index.
pub(super) async fn to_index(connection: &mut PgConnection) -> Result<(), Failure> {
    Ok(advise(connection, INDEXING).await?)
}

async fn limit(connection: &mut PgConnection, max: Duration) -> Result<(), sqlx::Error> {
    let limit = format!("SET statement_timeout = {}", max.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(connection).await?;
    Ok(())
}

/// Says what an engine may refuse.
pub(super) async fn advise(
    connection: &mut PgConnection,
    statements: impl IntoIterator<Item = impl Into<String>>,
) -> Result<(), sqlx::Error> {
    for statement in statements {
        // Made of constants, and the name of a build.
        let statement = sqlx::AssertSqlSafe(statement.into());
        match sqlx::raw_sql(statement).execute(&mut *connection).await {
            Err(error) if error.as_database_error().is_none() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
