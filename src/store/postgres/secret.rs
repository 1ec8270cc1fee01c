//! Whether the processes that share a database share their secrets, too: by fingerprints, which tell
//! nothing else.

use super::PostgresLog;
use super::connect::retry;
use crate::error::Error;

/// The first who comes says what it is.
const SAY: &str = "INSERT INTO log_secret (name, fingerprint) VALUES ($1, $2) \
                   ON CONFLICT (name) DO NOTHING";
const SAID: &str = "SELECT fingerprint = $2 FROM log_secret WHERE name = $1";

impl PostgresLog {
    /// Whether a secret of this process has the fingerprint that all others' has.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn shares_secret(&self, name: &str, fingerprint: &[u8; 32]) -> Result<bool, Error> {
        let pool = &self.shared.pool;
        let ask = || async {
            let say = sqlx::query(SAY).bind(name).bind(&fingerprint[..]);
            say.execute(pool).await?;
            let said = sqlx::query_scalar(SAID).bind(name).bind(&fingerprint[..]);
            Ok(said.fetch_one(pool).await?)
        };
        retry(self.shared.retry_max, ask).await
    }
}
