//! Checks the hash chain of the log: at a start what is new, and all of it while the server runs. A
//! log that was changed stops the process: nothing may be decided on it.

use std::time::Duration;

use anyhow::Context as _;
use ccd402_app::ports::log::READ_EVENTS_MAX;
use tokio::time::Instant;

use crate::compose::log::Log;

/// When the running log is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// How often what is new is checked, which bounds what the next start has to check.
    pub(crate) new_every: Duration,
    /// How often everything is.
    pub(crate) all_every: Duration,
    /// How long it rests for the time that it worked: 4 takes a fifth of a processor.
    pub(crate) rest: u32,
}

impl Default for Options {
    fn default() -> Self {
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(24 * 3_600));
        Self { new_every: 5 * minute, all_every: day, rest: 4 }
    }
}

const WHAT_TO_DO: &str = "the event log was changed or damaged: keep a copy of the data directory, \
    find out more with `ccd402 events verify --data-dir …`, and put a backup in its place or \
    `ccd402 events import` an export into a new one";

/// Checks what was written since the last check.
///
/// # Errors
/// Names the bad position, and says what to do.
pub(crate) async fn at_start(log: &Log) -> anyhow::Result<()> {
    let begun_at = Instant::now();
    let position = log.verify_new().await.context(WHAT_TO_DO)?;
    let duration_ms = u64::try_from(begun_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(position, duration_ms, "The newest events are whole.");
    Ok(())
}

/// Checks the log for as long as it is awaited.
///
/// # Errors
/// As [`at_start`].
pub(crate) async fn run(log: Log, options: Options) -> anyhow::Result<()> {
    loop {
        let due_at = Instant::now() + options.all_every;
        check_all(&log, options.rest).await.context(WHAT_TO_DO)?;
        while Instant::now() < due_at {
            tokio::time::sleep(options.new_every).await;
            log.verify_new().await.context(WHAT_TO_DO)?;
        }
    }
}

/// A page at a time, so that nobody waits for it.
async fn check_all(log: &Log, rest: u32) -> anyhow::Result<()> {
    let (head, log) = (log.head(), log.port());
    let mut position = 0;
    while position < head {
        let begun_at = Instant::now();
        position = log.check(position, READ_EVENTS_MAX).await?.position;
        tokio::time::sleep(begun_at.elapsed() * rest).await;
    }
    tracing::info!(position, "The whole log was checked.");
    Ok(())
}
