//! A rebuild that another process is to do: who has no lease wishes for it by a row, which whoever
//! writes the read model sees.
//!
//! A wish names the build that is to be replaced, and so is over once that was. Nothing is promised:
//! a wish that nobody takes up is given up.

use std::time::{Duration, Instant};

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::ReadModelError as Error;
use tokio::sync::watch;

use super::catalog::signed;
use super::codec::{get, number};
use super::failure::{Failure, retry};
use super::{PostgresReadModel, Shared, bounded};

/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long nobody may be at it.
const NOBODY_MAX: Duration = Duration::from_secs(30);

const WISH: &str = "INSERT INTO read_model_wish (version, build) \
                    SELECT version, build FROM read_model WHERE version = $1 \
                    ON CONFLICT (version) DO UPDATE SET build = excluded.build RETURNING build";
const PROGRESS: &str = "SELECT read_model.build, (SELECT max(position) FROM read_model_build AS beside \
                        WHERE beside.version = read_model.version AND beside.to_read \
                        AND beside.build <> read_model.build AND beside.kept_until > now()) \
                        FROM read_model WHERE read_model.version = $1";

impl PostgresReadModel {
    /// Whether this process may write, as far as it knows.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.shared.held().is_some()
    }

    /// Whether somebody wishes for a rebuild.
    #[must_use]
    pub fn wished(&self) -> watch::Receiver<bool> {
        self.shared.known.wished()
    }

    /// Has whoever writes the read model build it again, and tells how far that is; returns once what
    /// was built is read here.
    ///
    /// # Errors
    /// Where nobody does.
    pub async fn ask_others(&self, tell: impl Fn(Position) + Send) -> Result<(), Error> {
        let shared = &*self.shared;
        let replaced = retry(shared.retry_max, || bounded(wish(shared))).await?;
        let mut busy_at = Instant::now();
        loop {
            let (build, beside) = retry(shared.retry_max, || bounded(progress(shared))).await?;
            if build != replaced {
                return Ok(shared.look().await.map_err(Failure::from)?);
            }
            if let Some(position) = beside {
                busy_at = Instant::now();
                tell(position);
            } else if busy_at.elapsed() > NOBODY_MAX {
                let reason = "no process that works builds it again".to_owned();
                return Err(Error::Failed(reason));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Wishes; the build that is to be replaced.
async fn wish(shared: &Shared) -> Result<String, Failure> {
    let wish = sqlx::query(WISH).bind(signed(shared.version));
    // Where nothing is read, one is being built, or will be.
    let row = match wish.fetch_optional(&shared.own).await.map_err(Failure::from) {
        Err(failure) if failure.is_gone() => return Err(Error::Building.into()),
        wished => wished?.ok_or(Error::Building)?,
    };
    Ok(get(&row, 0)?)
}

/// What is read, and how far what is to be read in its place has come.
async fn progress(shared: &Shared) -> Result<(String, Option<Position>), Failure> {
    let progress = sqlx::query(PROGRESS).bind(signed(shared.version));
    let row = progress.fetch_optional(&shared.own).await?.ok_or(Error::Building)?;
    let beside = match get::<Option<i64>>(&row, 1)? {
        Some(_) => Some(number(&row, 1)?),
        None => None,
    };
    Ok((get(&row, 0)?, beside))
}
