//! Whether this process may write: whether nobody has taken over the lease that it shows.
//!
//! What is written commits only while the lease's row is locked at that epoch. It is locked last:
//! whoever takes the lease over waits for that lock, and the log's appends wait for them.

use ccd402_app::ports::lease::Fence;
use ccd402_app::ports::read_model::ReadModelError;
use sqlx::PgConnection;

use super::failure::Failure;
use crate::flat::int;

const LOOK: &str = "SELECT epoch FROM log_lease WHERE name = $1";
const LOCK: &str = "SELECT epoch FROM log_lease WHERE name = $1 FOR SHARE";

/// A fence that may have fallen.
#[derive(Debug, Clone)]
pub(super) struct Held(pub(super) Fence);

impl Held {
    /// A look that costs nobody anything, before work that would be in vain.
    pub(super) async fn must_be_newest(&self, db: &mut PgConnection) -> Result<(), Failure> {
        self.compare(db, LOOK).await
    }

    /// Nobody takes the lease over before this transaction ends.
    pub(super) async fn lock(&self, db: &mut PgConnection) -> Result<(), Failure> {
        self.compare(db, LOCK).await
    }

    async fn compare(&self, db: &mut PgConnection, look: &'static str) -> Result<(), Failure> {
        let newest = sqlx::query_scalar(look).bind(self.0.lease.as_str());
        let newest: Option<i64> = newest.fetch_optional(db).await?;
        match newest == Some(int(self.0.epoch)) {
            true => Ok(()),
            false => Err(Failure::Model(ReadModelError::Fenced)),
        }
    }
}
