//! Keeps the read model up with the log, and builds it anew where there is none or where somebody
//! asks for it.
//!
//! What is read stays readable while its successor is built. A read model that fails costs lists and
//! statistics, never a payment: only the log's own failure ends the projector.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_app::error::Error as AppError;
use ccd402_app::ports::log::{EventLog, Position, READ_EVENTS_MAX};
use ccd402_app::ports::read_model::{ReadModel, ReadModelError, Rebuild};
use ccd402_app::reads::Reads;
use ccd402_app::replay::Replay;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Events read at once.
const PAGE: usize = READ_EVENTS_MAX;
/// How long events are gathered before they are written; longer while many come, since each
/// transaction writes the pages that it touches, and rows that come together touch the same ones.
const GATHER: Duration = Duration::from_millis(25);
/// The same, after a transaction of at least so many events. What comes in that time must still be
/// among the newest events, which the log has in memory.
const GATHER_MANY: (Duration, usize) = (Duration::from_millis(100), 512);
/// Pause after the read model could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// Between two words about a build that goes on.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Projects one log.
pub struct Projector {
    reads: Arc<Reads>,
    build: Option<Build>,
}

/// A successor that is being built.
struct Build {
    replay: Replay<dyn Rebuild>,
    begun_at: Instant,
    told_at: Instant,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There may be more.
    Moved,
    /// So many events were all that there were.
    CaughtUp(usize),
    /// There is nothing to do.
    Idle,
    /// Not now.
    Stuck,
}

impl Step {
    /// How long the next events are gathered.
    fn gather(self) -> Duration {
        match self {
            Self::CaughtUp(events) if events >= GATHER_MANY.1 => GATHER_MANY.0,
            _ => GATHER,
        }
    }
}

impl Projector {
    /// A projector; it begins where the read model is.
    #[must_use]
    pub fn new(reads: Arc<Reads>) -> Self {
        Self { reads, build: None }
    }

    /// Projects until told to stop.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        // What is half written when told to stop is rolled back, and read again after the start.
        match shutdown.run_until_cancelled(self.project()).await {
            Some(ended) => ended,
            None => Ok(()),
        }
    }

    async fn project(&mut self) -> Result<(), Error> {
        let mut head = self.log().head();
        loop {
            let newest = *head.borrow_and_update();
            let followed = self.follow().await?;
            if self.position().is_none() || self.reads.is_rebuild_asked() {
                self.begin().await;
            }
            // No older than what is read: a successor must not be behind it.
            let goal = *head.borrow();
            let built = self.build(goal).await?;
            self.measure(newest);
            match (followed, built) {
                (Step::Stuck, _) | (_, Step::Stuck) => tokio::time::sleep(RETRY).await,
                (Step::Moved, _) | (_, Step::Moved) => {}
                (Step::Idle | Step::CaughtUp(_), _) => {
                    let gather = followed.gather();
                    let mut position = self.model().position();
                    let lost = async { position.wait_for(Option::is_none).await.is_ok() };
                    tokio::select! {
                        changed = head.changed() => match changed {
                            Ok(()) => tokio::time::sleep(gather).await,
                            Err(_) => return Ok(()),
                        },
                        is_lost = lost => if !is_lost {
                            return Ok(());
                        },
                        () = self.reads.rebuild_asked() => {}
                    }
                }
            }
        }
    }

    fn log(&self) -> &Arc<dyn EventLog> {
        self.reads.log()
    }

    fn model(&self) -> &Arc<dyn ReadModel> {
        self.reads.model()
    }

    fn position(&self) -> Option<Position> {
        *self.model().position().borrow()
    }

    /// Writes the next events into what is read.
    async fn follow(&self) -> Result<Step, Error> {
        let Some(position) = self.position() else { return Ok(Step::Idle) };
        let events = self.log().read_all(position, PAGE).await?;
        if events.is_empty() {
            return Ok(Step::Idle);
        }
        Ok(match self.model().apply(&events).await {
            Ok(()) if events.len() < PAGE => Step::CaughtUp(events.len()),
            Ok(()) => Step::Moved,
            // It is not read any more, and is built again next.
            Err(ReadModelError::Damaged(_) | ReadModelError::Building) => Step::Moved,
            // Who holds the lease is told so in its own time.
            Err(ReadModelError::Fenced) => Step::Stuck,
            Err(error) => {
                tracing::warn!(%error, "the read model cannot be written; trying again");
                Step::Stuck
            }
        })
    }

    async fn begin(&mut self) {
        if self.build.is_some() {
            return;
        }
        match self.model().rebuild().await {
            Ok(rows) => {
                tracing::info!("building the read model from the log");
                let replay = Replay::new(Arc::clone(self.log()), rows);
                let now = Instant::now();
                self.build = Some(Build { replay, begun_at: now, told_at: now });
                self.reads.building(0);
            }
            Err(error) => {
                tracing::warn!(%error, "the read model cannot be built");
                self.reads.build_ended(false);
            }
        }
    }

    /// Writes the next events into the successor; once it has them all, it is swapped in.
    async fn build(&mut self, newest: Position) -> Result<Step, Error> {
        let Some(mut build) = self.build.take() else {
            let is_missing = self.position().is_none();
            return Ok(if is_missing { Step::Stuck } else { Step::Idle });
        };
        let done = match build.replay.step(newest).await {
            Ok(true) => {
                build.tell(newest);
                self.reads.building(build.replay.position());
                self.build = Some(build);
                return Ok(Step::Moved);
            }
            Ok(false) => build.finish().await,
            Err(AppError::ReadModel(error)) => Err(error),
            Err(error) => return Err(Error::Log(error.to_string())),
        };
        self.reads.build_ended(done.is_ok());
        Ok(match done {
            Ok(()) => Step::Moved,
            Err(error) => {
                tracing::warn!(%error, "the read model could not be built");
                Step::Stuck
            }
        })
    }

    fn measure(&self, newest: Position) {
        let position = self.position().unwrap_or(0);
        metrics::gauge!("ccd402_read_model_position").set(position as f64);
        let lag = newest.saturating_sub(position);
        metrics::gauge!("ccd402_read_model_lag_events").set(lag as f64);
    }
}

impl Build {
    fn tell(&mut self, newest: Position) {
        if self.told_at.elapsed() >= TELL_EVERY {
            self.told_at = Instant::now();
            let position = self.replay.position();
            let percent = position * 100 / newest.max(1);
            tracing::info!(position, newest, percent, "building the read model");
        }
    }

    async fn finish(self) -> Result<(), ReadModelError> {
        let Self { replay, begun_at, .. } = self;
        let position = replay.position();
        replay.into_rows().swap_in().await?;
        let duration_ms = u64::try_from(begun_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(position, duration_ms, "the read model is built");
        Ok(())
    }
}
