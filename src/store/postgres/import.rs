//! Takes exported lines into the log of a database: the same lines, with the same hashes.
//!
//! Only lines that continue what is there are taken, each checked before it is written. Proofs that
//! are kept beside a log are in no export. Nothing is tried again: whoever imports says it again.

use std::time::Duration;

use ccd402_app::ports::log::Position;
use ccd402_domain::ids::Digest;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::batch;
use super::facts::{Facts, Questions};
use super::number::{signed, unsigned};
use super::{Options, connect, open, rows};
use crate::draft::{Draft, Tip};
use crate::envelope::{self, Chain, Line};
use crate::error::Error;
use crate::index::IndexChange;

/// Connections of facilitators to this database, as far as the engine tells.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                      AND application_name = $1 AND pid <> pg_backend_pid()";

/// How often others are looked for before the import is refused.
const LOOKS: u32 = 20;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A log that is being filled.
pub struct Import {
    db: PgConnection,
    tip: Tip,
}

/// Refuses where others are connected, and stay so: who has just gone is shown for a moment more.
async fn must_be_alone(db: &mut PgConnection) -> Result<(), Error> {
    for _ in 0..LOOKS {
        let others = sqlx::query_scalar(OTHERS).bind(connect::APPLICATION);
        if others.fetch_one(&mut *db).await.unwrap_or(0_i64) == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
    Err(Error::Shared)
}

impl Import {
    /// Opens the database, whose schema must be up to date.
    ///
    /// # Errors
    /// Where it cannot be used, or a facilitator is connected to it.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let mut db = connect::reach(options).await?;
        open::check(&mut db).await?;
        must_be_alone(&mut db).await?;
        let mut transaction = db.begin().await?;
        let tip = batch::lock_head(&mut transaction).await?;
        transaction.rollback().await?;
        Ok(Self { db, tip })
    }

    /// The last position that is there.
    #[must_use]
    pub fn position(&self) -> Position {
        self.tip.position
    }

    /// The hash of the line there.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.tip.hash
    }

    /// Takes the next lines, without their line feeds: all of them, durably, or none. Lines that are
    /// there already are compared with what is there.
    ///
    /// # Errors
    /// Names the position of the first line that was changed, does not follow, or differs.
    pub async fn take(&mut self, lines: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut chain = Chain::after(self.tip.position, self.tip.hash);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for line in lines {
            let position = envelope::position_of(chain.position() + 1, &line)?;
            if position <= self.tip.position {
                old.push((position, line));
                continue;
            }
            chain.check(&line)?;
            let read = envelope::read(chain.position(), &line)?;
            new.push((line, read));
        }
        self.compare(&old).await?;
        if !new.is_empty() {
            self.tip = self.add(new).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, lines: &[(Position, Vec<u8>)]) -> Result<(), Error> {
        let positions: Vec<i64> = lines.iter().map(|(position, _)| signed(*position)).collect();
        let rows = sqlx::query("SELECT position, line FROM log_event WHERE position = ANY ($1)");
        let mut found = std::collections::BTreeMap::new();
        for row in rows.bind(&positions).fetch_all(&mut self.db).await? {
            found.insert(unsigned(row.try_get(0)?)?, row.try_get::<Vec<u8>, _>(1)?);
        }
        for (position, line) in lines {
            if found.get(position) != Some(line) {
                return Err(Error::damaged(*position, "the log holds another event there"));
            }
        }
        Ok(())
    }

    async fn add(&mut self, lines: Vec<(Vec<u8>, Line)>) -> Result<Tip, Error> {
        let mut questions = Questions::default();
        for (_, Line { recorded, .. }) in &lines {
            questions.ask(&recorded.stream, &IndexChange::of(&recorded.event));
        }
        let mut transaction = self.db.begin_with(batch::BEGIN).await?;
        let head = batch::lock_head(&mut transaction).await?;
        if head != self.tip {
            return Err(Error::Shared);
        }
        let facts = Facts::fetch(&mut transaction, &questions, &[]).await?;
        let mut draft = Draft::new(&facts.table, head, lines.len());
        for (line, read) in lines {
            draft.adopt(line, read)?;
        }
        let written = rows::write(&mut transaction, head, draft).await?;
        transaction.commit().await?;
        Ok(written.tip)
    }
}
