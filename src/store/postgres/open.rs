//! Opens a database: checks its schema, that it makes durable what it acknowledges, and that the
//! newest event is the one that its head names; then starts the replica's tasks.

use std::sync::Arc;

use ccd402_domain::ids::Digest;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row as _};

use super::status::{Known, Seen, Status};
use super::tailer::{self, Tailer};
use super::writer::Writer;
use super::{Hints, Options, PostgresLog, Shared, connect, read, schema};
use crate::draft::Tip;
use crate::envelope;
use crate::error::Error;
use crate::queue::Queue;

/// Settings under which what was acknowledged may be lost; engines without them say nothing.
const DURABILITY: &str = "SELECT coalesce(current_setting('synchronous_commit', true), 'on'), \
                          coalesce(current_setting('fsync', true), 'on')";

/// Opens.
pub(super) async fn open(options: &Options) -> Result<PostgresLog, Error> {
    let mut connection = connect::reach(options).await?;
    check(&mut connection).await?;
    drop(connection);
    let pool = connect::pool(options)?;
    let seen = match connect::retry(options.retry_max, || first_look(&pool)).await {
        Ok(seen) => seen,
        Err(error) => {
            pool.close().await;
            return Err(error);
        }
    };
    let (queue, intake) = Queue::new(options.queue_appends_max, options.queue_bytes_max);
    let status = Arc::new(Status::new(Arc::clone(queue.load()), seen));
    let hints = Hints::default();
    let Hints { appended, look } = hints.clone();
    let writer = Writer {
        intake,
        status: Arc::clone(&status),
        pool: pool.clone(),
        options: connect::parse(&options.url)?,
        retry_max: options.retry_max,
        hint: Arc::clone(&appended),
        connection: None,
    };
    let tailer = Tailer {
        pool: pool.clone(),
        status: Arc::clone(&status),
        poll: options.poll,
        wake: Arc::clone(&look),
    };
    writer.start().map_err(Error::Thread)?;
    tokio::spawn(tailer.run());
    if options.notifies {
        tokio::spawn(tailer::listen(pool.clone(), Arc::clone(&status), look));
        tokio::spawn(tailer::tell(pool.clone(), Arc::clone(&status), appended));
    }
    let retry_max = options.retry_max;
    Ok(PostgresLog { shared: Arc::new(Shared { pool, queue, status, retry_max, hints }) })
}

/// What must be in order before anything is read.
pub(super) async fn check(db: &mut PgConnection) -> Result<(), Error> {
    schema::check(db).await?;
    let settings = sqlx::query(DURABILITY).fetch_one(db).await?;
    if settings.try_get::<&str, _>(0)? == "off" {
        return Err(Error::NotSynchronous);
    }
    if settings.try_get::<&str, _>(1)? == "off" {
        tracing::warn!("the database has fsync = off: a power loss may damage it");
    }
    Ok(())
}

/// The first look.
async fn first_look(pool: &PgPool) -> Result<Seen, Error> {
    let nothing = Known { tip: Tip::empty(), counted: 0 };
    let seen = tailer::look(pool, nothing).await?;
    check_newest(pool, seen.tip).await?;
    Ok(seen)
}

async fn check_newest(pool: &PgPool, tip: Tip) -> Result<(), Error> {
    let Some(before) = tip.position.checked_sub(1) else { return Ok(()) };
    let lines = read::lines(pool, tip.position, before, 1).await?;
    let hash: Option<Digest> =
        lines.first().map(|line| envelope::hash_at(tip.position, line)).transpose()?;
    if hash != Some(tip.hash) {
        return Err(Error::damaged(tip.position, "its hash is not the head's"));
    }
    Ok(())
}
