//! The task of a replica that sees what others have appended, and tells them what this one has.
//!
//! Notifications are hints: they make a look come sooner. Whatever becomes of them, there is a look
//! at every interval, and each shows all there is: the head moves in the transaction of its events.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::ports::log::{Position, READ_EVENTS_MAX, Recorded};
use sqlx::Row as _;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::number::{signed, unsigned};
use super::status::{Known, Seen, Status};
use super::{connect, facts, read};
use crate::error::Error;

/// The channel of notifications, one in each database.
const CHANNEL: &str = "ccd402_log";
const LOOK: &str = include_str!("sql/look.sql");
/// A notification has a transaction of its own, which need not wait for the disk.
const NOTIFY: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

/// Shortest time between two looks, and between two notifications: under load every replica commits
/// hundreds of times a second, and each look takes time from the commits.
const PAUSE: Duration = Duration::from_millis(25);
/// Wait before a lost or refused connection for hints is tried again.
const HINTS_RETRY: Duration = Duration::from_secs(5);

/// The tailer's own.
pub(super) struct Tailer {
    pub(super) pool: PgPool,
    pub(super) status: Arc<Status>,
    /// Longest time between two looks.
    pub(super) poll: Duration,
    /// Asks for a look now.
    pub(super) wake: Arc<Notify>,
}

impl Tailer {
    /// Runs until the log is closed.
    pub(super) async fn run(self) {
        let mut is_failing = false;
        let mut next_look = Instant::now() + self.poll;
        while !self.pool.is_closed() {
            let mut closed = self.pool.close_event();
            let woken = tokio::time::timeout_at(next_look, self.wake.notified());
            // Woken, or it is time, or the log is closed: the loop tells which.
            let _ = closed.do_until(woken).await;
            if Instant::now() < next_look && self.is_told_soon() {
                let _ = self.pool.close_event().do_until(tokio::time::sleep(PAUSE)).await;
                continue;
            }
            next_look = Instant::now() + self.poll;
            match self.look().await {
                Ok(()) => is_failing = false,
                Err(_) if self.pool.is_closed() => break,
                Err(error @ (Error::Receded { .. } | Error::Damaged { .. })) => {
                    tracing::error!(%error, "The log must not be used any more; the process must stop.");
                    self.status.load.stop(error.to_string());
                    break;
                }
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "what others append cannot be seen");
                    is_failing = true;
                }
                Err(_) => {}
            }
            let _ = self.pool.close_event().do_until(tokio::time::sleep(PAUSE)).await;
        }
    }

    /// Whether the writer is about to tell where the head stands: what has woken the tailer was
    /// appended before a batch that is under way, as a rule. Who follows the log waits for more.
    fn is_told_soon(&self) -> bool {
        self.status.is_appending() && !self.status.tail.is_followed()
    }

    async fn look(&self) -> Result<(), Error> {
        let known = self.status.known();
        let seen = connect::within(look(&self.pool, known)).await?;
        known.check(seen.tip)?;
        let events = connect::within(self.events(known, &seen)).await?;
        self.status.saw(known, seen, events);
        Ok(())
    }

    /// The events that are new, where they are few enough to be kept, and somebody has followed the
    /// log since the last look. Whoever begins to does the first reading alone.
    async fn events(&self, known: Known, seen: &Seen) -> Result<Option<Vec<Recorded>>, Error> {
        let (after, to) = (known.tip.position, seen.tip.position);
        let is_followed = self.status.tail.take_followed();
        if to == after || to - after > READ_EVENTS_MAX as u64 || !is_followed {
            return Ok(None);
        }
        let events = read::all(&self.pool, to, after, READ_EVENTS_MAX).await?;
        Ok(Some(events))
    }
}

/// Looks at the head, and at the counts that changed.
pub(super) async fn look(pool: &PgPool, known: Known) -> Result<Seen, Error> {
    let rows = sqlx::query(LOOK).bind(signed(known.counted)).fetch_all(pool).await?;
    let (mut tip, mut counts) = (None, Vec::new());
    for row in rows {
        let Some(tenant) = row.try_get::<Option<&str>, _>("tenant")? else {
            tip = Some(facts::head(&row)?);
            continue;
        };
        let position = unsigned(row.try_get("position")?)?;
        let bad = |_| Error::damaged(position, "the counts of what waits cannot be read");
        let count = unsigned(row.try_get("waiting")?)?;
        counts.push((tenant.parse().map_err(bad)?, count, position));
    }
    let tip =
        tip.ok_or_else(|| Error::damaged(0, "the row that says where the log ends is gone"))?;
    Ok(Seen { tip, counts })
}

/// Wakes the tailer at each notification, until the log is closed. An engine without notifications
/// is looked at by time alone.
pub(super) async fn listen(pool: PgPool, status: Arc<Status>, wake: Arc<Notify>) {
    while !pool.is_closed() {
        if let Err(error) = hear(&pool, &status, &wake).await {
            tracing::debug!(%error, "no notifications of the log are heard");
        }
        let _ = pool.close_event().do_until(tokio::time::sleep(HINTS_RETRY)).await;
    }
}

async fn hear(pool: &PgPool, status: &Status, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    while let Some(heard) = listener.try_recv().await? {
        // A replica hears itself, too.
        let is_known = |position: Position| position <= status.known().tip.position;
        if !heard.payload().parse().is_ok_and(is_known) {
            wake.notify_one();
        }
    }
    Ok(())
}

/// Notifies the others after commits of this replica, until the log is closed. Outside of the
/// appends' transactions: they must not fail or wait for a hint.
pub(super) async fn tell(pool: PgPool, status: Arc<Status>, hint: Arc<Notify>) {
    loop {
        if pool.close_event().do_until(hint.notified()).await.is_err() {
            return;
        }
        let position = status.known().tip.position.to_string();
        let told = sqlx::query(NOTIFY).bind(CHANNEL).bind(position).execute(&pool).await;
        let pause = match told {
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::debug!(%error, "the others were not notified");
                HINTS_RETRY
            }
        };
        let _ = pool.close_event().do_until(tokio::time::sleep(pause)).await;
    }
}
