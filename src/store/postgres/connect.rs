//! Connections: how they are set up, which failures pass, and how long to wait for that.
//!
//! The URL may hold a password. It is read here and shown nowhere.

use std::time::{Duration, Instant};

use rand::Rng as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::Options;
use crate::error::Error;

/// What connections are called where the URL says nothing.
pub(super) const APPLICATION: &str = "ccd402";
/// Longest that one try may take.
const TRY_MAX: Duration = Duration::from_secs(10);
/// Wait after the first failure, before jitter, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What bounds each connection: a replica that stands still in the middle must not hold the head's
/// lock, for which all others wait, and whoever takes its leases over.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
                        SET idle_in_transaction_session_timeout = '3s'";

/// Codes, or classes of codes, of failures that pass: connections, resources, an operator's
/// interventions, restarts, conflicts of transactions, a server that is a standby just now.
const PASSING: [&str; 8] = ["08", "40", "53", "57", "58", "25006", "25P03", "55P03"];

/// Reads the URL.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, Error> {
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|name| url.starts_with(name));
    let parsed = if is_postgres { url.parse().ok() } else { None };
    let options: PgConnectOptions = parsed.ok_or_else(|| {
        Error::Url("it must be like postgres://user:password@host:5432/database".to_owned())
    })?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name(APPLICATION),
    };
    Ok(options.disable_statement_logging())
}

/// A connection of the writer's own.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    set_up(&mut connection).await?;
    Ok(connection)
}

/// A connection to a database that may be about to come up; where it does not, the error says why,
/// which the pool's would not.
pub(super) async fn reach(options: &Options) -> Result<PgConnection, Error> {
    let connect_options = parse(&options.url)?;
    retry(options.retry_max, || connect(&connect_options)).await
}

/// Connections for everything else; made as they are needed.
pub(super) fn pool(options: &Options) -> Result<PgPool, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(options.connections_max.max(2))
        .acquire_timeout(TRY_MAX / 2)
        .after_connect(|connection, _| Box::pin(set_up(connection)));
    Ok(pool.connect_lazy_with(parse(&options.url)?))
}

/// Connections without bounds on their statements: building an index may take long.
pub(super) fn pool_to_migrate(options: &Options) -> Result<PgPool, Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(TRY_MAX / 2);
    Ok(pool.connect_lazy_with(parse(&options.url)?))
}

pub(super) async fn set_up(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// Whether it is worth trying again.
pub(super) fn passes(error: &Error) -> bool {
    let error = match error {
        Error::Unanswered(_) => return true,
        Error::Postgres(error) => &**error,
        _ => return false,
    };
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| PASSING.iter().any(|passing| code.starts_with(passing)))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Between half of a wait and all of it: replicas do not come back at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
}

/// Bounds one try.
pub(super) async fn within<R>(run: impl Future<Output = Result<R, Error>>) -> Result<R, Error> {
    tokio::time::timeout(TRY_MAX, run).await.unwrap_or(Err(Error::Unanswered(TRY_MAX)))
}

/// Tries again what fails in a way that passes.
pub(super) async fn retry<R, F>(max: Duration, mut run: impl FnMut() -> F) -> Result<R, Error>
where
    F: Future<Output = Result<R, Error>>,
{
    let mut tries = Tries::new(max);
    loop {
        match within(run()).await {
            Ok(result) => return Ok(result),
            Err(error) => tries.wait_after(error).await?,
        }
    }
}

/// Tries of one thing, with growing waits between them, for so long.
pub(super) struct Tries {
    begun_at: Instant,
    max: Duration,
    wait: Duration,
}

impl Tries {
    /// The first is now.
    pub(super) fn new(max: Duration) -> Self {
        Self { begun_at: Instant::now(), max, wait: WAITS.0 }
    }

    /// Waits for the next; gives the error back where it is of no use, or time is up.
    pub(super) async fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        if !passes(&error) || self.begun_at.elapsed() + self.wait > self.max {
            return Err(error);
        }
        tracing::debug!(%error, "the database failed; it is asked again");
        tokio::time::sleep(jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(WAITS.1);
        Ok(())
    }
}
