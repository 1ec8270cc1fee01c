//! The schema: its migrations, and whether the database has had those that this program knows.
//!
//! A migration that was released is never changed; what must change is another one.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgPool;
use sqlx::{Connection as _, PgConnection, SqlSafeStr as _};

use super::Options;
use super::connect;
use crate::error::Error;

/// Number, name and statements of each, in their order.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "log", include_str!("migrations/0001_log.sql")),
    (2, "lease", include_str!("migrations/0002_lease.sql")),
];

const COMPATIBLE_SINCE: &str = "SELECT since FROM log_compatible WHERE id = 1";

/// How often to look again where another process migrates at the same time.
const TRIES_MAX: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Codes that say that somebody else has just made the same table or row, or was in the way.
const OVERTAKEN: [&str; 6] = ["23505", "42P07", "42710", "40001", "40P01", "XX000"];
const UNDEFINED_TABLE: &str = "42P01";

/// What the database's schema is, and was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The newest migration that the database had had; 0 for none.
    pub from: i64,
    /// The newest that it has had now.
    pub to: i64,
}

/// Brings the schema of a database up to date. Safe while others do the same, and to repeat.
///
/// # Errors
/// Where the database cannot be reached, refuses, or was migrated by a newer program.
pub async fn migrate(options: &Options) -> Result<Migrated, Error> {
    let mut db = connect::reach(options).await?;
    let from = applied(&mut db).await?;
    // Whether it is closed in good order does not matter any more.
    let _ = db.close().await;
    if from > newest() {
        return Err(Error::SchemaNew { found: from, known: newest() });
    }
    let pool = connect::pool_to_migrate(options)?;
    let run = run(&pool).await;
    pool.close().await;
    run.map(|()| Migrated { from, to: newest() })
}

async fn run(pool: &PgPool) -> Result<(), Error> {
    // No lock is taken: the engines that share PostgreSQL's protocol have no advisory locks. Each
    // migration and the note that it was applied are one transaction, so of several processes one
    // commits it; the others fail as a whole, look again, and find it applied.
    let mut migrator = migrator();
    migrator.set_locking(false);
    let mut tries = 0;
    loop {
        match migrator.run(pool).await {
            Ok(()) => return Ok(()),
            Err(error) if tries < TRIES_MAX && is_overtaken(&error) => tries += 1,
            Err(error) => return Err(Error::Migration(error.to_string())),
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Checks that the schema is the one that this program needs, or a newer one that it can live with.
pub(super) async fn check(db: &mut PgConnection) -> Result<(), Error> {
    let (found, newest) = (applied(db).await?, newest());
    if found < newest {
        return Err(Error::SchemaOld { found, needed: newest });
    }
    let since: i64 = sqlx::query_scalar(COMPATIBLE_SINCE).fetch_one(db).await?;
    if since > newest {
        return Err(Error::SchemaNew { found, known: newest });
    }
    if found > newest {
        tracing::warn!(found, known = newest, "the database's schema is a newer program's");
    }
    Ok(())
}

/// The newest migration that the database has had.
async fn applied(db: &mut PgConnection) -> Result<i64, Error> {
    let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    match newest.fetch_one(db).await {
        Ok(version) => Ok(Option::<i64>::unwrap_or(version, 0)),
        Err(error) if code(&error).as_deref() == Some(UNDEFINED_TABLE) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Made here rather than by sqlx's macro, which would build every driver once more for the compiler.
fn migrator() -> Migrator {
    let migration = |(version, name, statements): (i64, &'static str, &'static str)| {
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, statements.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect())
}

pub(super) fn newest() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn is_overtaken(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    code(error).is_some_and(|code| OVERTAKEN.contains(&code.as_str()))
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
