//! Leases as rows of the database, by whose clock they end.
//!
//! Whoever takes one over holds the lock of the log's head meanwhile: every append before it was
//! decided under the older epoch, and none after. Renewing touches the lease's row alone. A holder
//! that was paused is not asked to notice: what it writes is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::lease::{Fence, Lease, LeaseError, LeaseName, Leases};
use ccd402_app::ports::log::AppendError;
use sqlx::postgres::PgPool;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::PostgresLog;
use super::batch::{self, BEGIN};
use super::connect::within;
use super::number::{signed, unsigned};
use crate::error::Error;
use crate::prepare::Call;

const EPOCHS: &str = "SELECT name, epoch FROM log_lease WHERE name = ANY($1)";
const IS_FREE: &str = "SELECT NOT EXISTS \
                       (SELECT FROM log_lease WHERE name = $1 AND until > clock_timestamp())";
/// The condition is looked at once more: somebody may have taken it before the head was locked.
const TAKE: &str = "INSERT INTO log_lease AS held (name, holder, epoch, until) \
                    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond') \
                    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
                    epoch = held.epoch + 1, until = excluded.until \
                    WHERE held.until <= clock_timestamp() RETURNING epoch";
const RENEW: &str = "UPDATE log_lease \
                     SET until = clock_timestamp() + $3 * interval '1 millisecond' \
                     WHERE name = $1 AND epoch = $2";
const GIVE_UP: &str = "UPDATE log_lease SET until = clock_timestamp() \
                       WHERE name = $1 AND epoch = $2 AND until > clock_timestamp()";
const LIST: &str = "SELECT name, holder, epoch, \
                    (extract(epoch FROM until - clock_timestamp()) * 1000)::bigint AS remaining \
                    FROM log_lease ORDER BY name";

/// The leases beside a log, as one process takes them.
#[derive(Clone)]
pub struct PostgresLeases {
    pool: PgPool,
    holder: String,
    term: Duration,
}

impl PostgresLog {
    /// Leases in the same database, taken under a name that people can tell from other processes',
    /// each for a term.
    #[must_use]
    pub fn leases(&self, holder: impl Into<String>, term: Duration) -> PostgresLeases {
        PostgresLeases { pool: self.shared.pool.clone(), holder: holder.into(), term }
    }
}

impl PostgresLeases {
    fn term_ms(&self) -> i64 {
        i64::try_from(self.term.as_millis()).unwrap_or(i64::MAX)
    }

    async fn try_take(&self, lease: &LeaseName) -> Result<Option<Fence>, Error> {
        let mut db = self.pool.acquire().await?;
        let is_free = sqlx::query_scalar(IS_FREE).bind(lease.as_str());
        // Who waits for a lease asks often, and must not hold up appends by it.
        if !is_free.fetch_one(&mut *db).await? {
            return Ok(None);
        }
        let mut transaction = db.begin_with(BEGIN).await?;
        batch::lock_head(&mut transaction).await?;
        let take = sqlx::query(TAKE).bind(lease.as_str()).bind(&self.holder).bind(self.term_ms());
        let taken = take.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        let Some(taken) = taken else { return Ok(None) };
        let epoch = unsigned(taken.try_get("epoch")?)?;
        Ok(Some(Fence { lease: lease.clone(), epoch }))
    }

    async fn try_renew(&self, fence: &Fence) -> Result<bool, Error> {
        let Fence { lease, epoch } = fence;
        let renew = sqlx::query(RENEW).bind(lease.as_str()).bind(signed(*epoch));
        let renewed = renew.bind(self.term_ms()).execute(&self.pool).await?;
        Ok(renewed.rows_affected() > 0)
    }

    async fn try_give_up(&self, fence: &Fence) -> Result<(), Error> {
        let Fence { lease, epoch } = fence;
        let give_up = sqlx::query(GIVE_UP).bind(lease.as_str()).bind(signed(*epoch));
        give_up.execute(&self.pool).await?;
        Ok(())
    }

    async fn try_list(&self) -> Result<Vec<Lease>, Error> {
        let mut leases = Vec::new();
        for row in sqlx::query(LIST).fetch_all(&self.pool).await? {
            let remaining: i64 = row.try_get("remaining")?;
            let remaining = u64::try_from(remaining).ok().filter(|left| *left > 0);
            leases.push(Lease {
                name: LeaseName::new(row.try_get::<String, _>("name")?),
                holder: row.try_get("holder")?,
                epoch: unsigned(row.try_get("epoch")?)?,
                remaining: remaining.map(Duration::from_millis),
            });
        }
        Ok(leases)
    }
}

#[async_trait]
impl Leases for PostgresLeases {
    fn term(&self) -> Duration {
        self.term
    }

    async fn take(&self, lease: &LeaseName) -> Result<Option<Fence>, LeaseError> {
        Ok(within(self.try_take(lease)).await?)
    }

    async fn renew(&self, fence: &Fence) -> Result<bool, LeaseError> {
        Ok(within(self.try_renew(fence)).await?)
    }

    async fn give_up(&self, fence: &Fence) -> Result<(), LeaseError> {
        Ok(within(self.try_give_up(fence)).await?)
    }

    async fn list(&self) -> Result<Vec<Lease>, LeaseError> {
        Ok(within(self.try_list()).await?)
    }
}

impl From<Error> for LeaseError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// The newest epochs of the leases that a batch names.
pub(super) struct Epochs(BTreeMap<String, u64>);

/// Reads them; they stay as they are for as long as the head is locked.
pub(super) async fn epochs(db: &mut PgConnection, calls: &[Call]) -> Result<Epochs, Error> {
    let fences = calls.iter().filter_map(|call| call.fence.as_ref());
    let names: Vec<&str> = fences.map(|fence| fence.lease.as_str()).collect();
    let mut epochs = BTreeMap::new();
    if !names.is_empty() {
        for row in sqlx::query(EPOCHS).bind(names).fetch_all(db).await? {
            epochs.insert(row.try_get("name")?, unsigned(row.try_get("epoch")?)?);
        }
    }
    Ok(Epochs(epochs))
}

impl Epochs {
    /// # Errors
    /// [`AppendError::Fenced`] where a newer epoch has begun.
    pub(super) fn must_be_newest(&self, fence: Option<&Fence>) -> Result<(), AppendError> {
        let Some(fence) = fence else { return Ok(()) };
        match self.0.get(fence.lease.as_str()) {
            Some(newest) if *newest == fence.epoch => Ok(()),
            _ => Err(AppendError::Fenced(fence.lease.clone())),
        }
    }
}
