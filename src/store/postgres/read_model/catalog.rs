//! The rows that say which builds there are, which of them is read, and how far each has come.
//!
//! What is read changes by one row: whoever asks sees the old build or the new one, whole. A build
//! that nobody reads any more is kept for a while, for those who still do, and then removed.

use ccd402_app::ports::read_model::{Checkpoint, ReadModelError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::codec::{get, number};
use super::failure::Failure;
use super::fence::Held;
use super::schema::{Build, CATALOG};
use crate::flat::{bad, int};
use crate::postgres::batch::BEGIN;

const CURRENT: &str = "SELECT there.build, there.position, there.event, \
                       coalesce(wish.build = there.build, false) FROM read_model \
                       JOIN read_model_build AS there ON there.build = read_model.build \
                       LEFT JOIN read_model_wish AS wish ON wish.version = read_model.version \
                       WHERE read_model.version = $1";
const REGISTER: &str = "INSERT INTO read_model_build \
                        (build, version, to_read, position, event, kept_until) \
                        VALUES ($1, $2, $3, $4, $5, now() + interval '1 hour')";
const LOCK: &str = "SELECT position, event FROM read_model_build WHERE build = $1 FOR UPDATE";
const MOVE: &str = "UPDATE read_model_build \
                    SET position = $2, event = $3, kept_until = now() + interval '1 hour' \
                    WHERE build = $1";
const RELEASE: &str = "UPDATE read_model_build \
                       SET to_read = false, kept_until = now() + interval '1 minute' \
                       WHERE build = (SELECT build FROM read_model WHERE version = $1) \
                       AND build <> $2";
const POINT: &str = "INSERT INTO read_model (version, build) VALUES ($1, $2) \
                     ON CONFLICT (version) DO UPDATE SET build = excluded.build";
const UNPOINT: &str = "DELETE FROM read_model WHERE version = $1 AND build = $2";
/// An older version that nothing has been written into for a day has no projector any more.
const FORGET: &str = "DELETE FROM read_model WHERE version < $1 AND NOT EXISTS \
                      (SELECT 1 FROM read_model_build AS there WHERE there.build = read_model.build \
                      AND there.kept_until > now() - interval '1 day')";
const LEFT: &str = "SELECT there.build, there.version FROM read_model_build AS there \
                    WHERE there.version <= $1 AND there.kept_until < now() AND NOT EXISTS \
                    (SELECT 1 FROM read_model WHERE read_model.build = there.build) \
                    ORDER BY there.build LIMIT 100";
const UNREGISTER: &str = "DELETE FROM read_model_build WHERE build = $1";
/// Readers of what is dropped are gone, or hold on to it: then it is tried again later.
const WAIT_SHORTLY: &str = "SET LOCAL lock_timeout = '2s'";

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Current {
    pub(super) build: Build,
    pub(super) checkpoint: Checkpoint,
    /// Whether somebody wishes for another in its place.
    pub(super) is_wished_away: bool,
}

/// What is read of a version; `None` where nothing is, or nobody has ever built anything.
pub(super) async fn current(
    db: &mut PgConnection,
    version: u32,
) -> Result<Option<Current>, Failure> {
    let found = sqlx::query(CURRENT).bind(signed(version)).fetch_optional(db).await;
    let row = match found.map_err(Failure::from) {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(None),
        Err(failure) if failure.is_gone() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let name: &str = get(&row, 0)?;
    let build = Build::named(version, name).ok_or_else(|| bad("build", name))?;
    let checkpoint = Checkpoint { position: number(&row, 1)?, event: get(&row, 2)? };
    Ok(Some(Current { build, checkpoint, is_wished_away: get(&row, 3)? }))
}

/// Makes the tables of these rows.
pub(super) async fn prepare(db: &mut PgConnection) -> Result<(), Failure> {
    for statement in CATALOG {
        sqlx::raw_sql(statement).execute(&mut *db).await?;
    }
    Ok(())
}

/// Makes the tables of a build, and a row that says that they are there. What is made without a fence
/// will never be read.
pub(super) async fn create(
    db: &mut PgConnection,
    build: &Build,
    beginning: Checkpoint,
    held: Option<&Held>,
) -> Result<(), Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    if let Some(held) = held {
        held.must_be_newest(&mut transaction).await?;
    }
    sqlx::query(REGISTER)
        .bind(&build.id)
        .bind(signed(build.version))
        .bind(held.is_some())
        .bind(int(beginning.position))
        .bind(beginning.event)
        .execute(&mut *transaction)
        .await?;
    for statement in build.create() {
        execute(&mut transaction, statement).await?;
    }
    if let Some(held) = held {
        held.lock(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Locks the checkpoint of a build, and says where it stands.
pub(super) async fn lock(db: &mut PgConnection, build: &Build) -> Result<Checkpoint, Failure> {
    let found = sqlx::query(LOCK).bind(&build.id).fetch_optional(db).await?;
    let row = found.ok_or_else(removed)?;
    Ok(Checkpoint { position: number(&row, 0)?, event: get(&row, 1)? })
}

/// Moves the checkpoint of a build.
pub(super) async fn move_to(
    db: &mut PgConnection,
    build: &Build,
    checkpoint: Checkpoint,
) -> Result<(), Failure> {
    let moved = sqlx::query(MOVE)
        .bind(&build.id)
        .bind(int(checkpoint.position))
        .bind(checkpoint.event)
        .execute(db)
        .await?;
    if moved.rows_affected() == 0 {
        return Err(removed());
    }
    Ok(())
}

/// Has a build read in place of what was read; where it stands.
pub(super) async fn point(
    db: &mut PgConnection,
    build: &Build,
    held: &Held,
) -> Result<Checkpoint, Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    held.must_be_newest(&mut transaction).await?;
    let checkpoint = lock(&mut transaction, build).await?;
    let version = signed(build.version);
    sqlx::query(RELEASE).bind(version).bind(&build.id).execute(&mut *transaction).await?;
    sqlx::query(POINT).bind(version).bind(&build.id).execute(&mut *transaction).await?;
    move_to(&mut transaction, build, checkpoint).await?;
    held.lock(&mut transaction).await?;
    transaction.commit().await?;
    Ok(checkpoint)
}

/// Has a build read no more.
pub(super) async fn unpoint(
    db: &mut PgConnection,
    build: &Build,
    held: &Held,
) -> Result<(), Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    held.must_be_newest(&mut transaction).await?;
    let unpoint = sqlx::query(UNPOINT).bind(signed(build.version)).bind(&build.id);
    unpoint.execute(&mut *transaction).await?;
    held.lock(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Builds of a version and older ones that nobody reads, and whose time is over.
pub(super) async fn left(
    db: &mut PgConnection,
    version: u32,
    held: &Held,
) -> Result<Vec<Build>, Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    held.must_be_newest(&mut transaction).await?;
    sqlx::query(FORGET).bind(signed(version)).execute(&mut *transaction).await?;
    let found = sqlx::query(LEFT).bind(signed(version)).fetch_all(&mut *transaction).await?;
    held.lock(&mut transaction).await?;
    transaction.commit().await?;
    let mut builds = Vec::new();
    for row in &found {
        let (name, version): (&str, i32) = (get(row, 0)?, get(row, 1)?);
        let build = u32::try_from(version).ok().and_then(|version| Build::named(version, name));
        builds.push(build.ok_or_else(|| bad("build", name))?);
    }
    Ok(builds)
}

/// Drops the tables of a build, and the row that says that they are there.
pub(super) async fn remove(db: &mut PgConnection, build: &Build) -> Result<(), Failure> {
    let mut transaction = db.begin_with(BEGIN).await?;
    sqlx::raw_sql(WAIT_SHORTLY).execute(&mut *transaction).await?;
    for statement in build.drop() {
        execute(&mut transaction, statement).await?;
    }
    sqlx::query(UNREGISTER).bind(&build.id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Runs a statement that is made of constants and the name of a build.
pub(super) async fn execute(db: &mut PgConnection, statement: String) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(db).await?;
    Ok(())
}

fn removed() -> Failure {
    let reason = "what was built took too long, and was removed".to_owned();
    Failure::Model(ReadModelError::Failed(reason))
}

/// Versions are small numbers.
pub(super) fn signed(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}
