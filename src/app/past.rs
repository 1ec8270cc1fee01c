//! The past: lists and overviews as they were up to some event, built from the log when somebody asks.
//!
//! A few are kept, one is built at a time, and building rests as long as it works, so that payments do
//! not wait for it. What was built is forgotten with the process: the log has it all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::error::Error;
use crate::moment::last_where;
use crate::ports::archive::Archive;
use crate::ports::log::{EventLog, Position};
use crate::ports::read_model::ReadModel;
use crate::reads::Reads;
use crate::replay::Replay;

/// Pasts that are kept; the one that was asked for the longest ago goes.
pub const KEPT_MAX: usize = 4;
/// Longest rest between two steps of a build.
const REST_MAX: Duration = Duration::from_millis(200);

/// The past of a log. Clones share it.
#[derive(Clone)]
pub struct Pasts(Arc<Shared>);

struct Shared {
    log: Arc<dyn EventLog>,
    archive: Arc<dyn Archive>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was asked for last stands last.
    kept: Vec<(Position, Arc<Reads>)>,
    under_way: Option<UnderWay>,
    failed: Option<Position>,
}

/// A build that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// Up to which event.
    pub until: Position,
    /// How far it has come.
    pub position: Position,
}

/// How a past stands.
#[derive(Clone)]
pub enum Past {
    /// It can be read.
    Built(Arc<Reads>),
    /// It is being built.
    UnderWay(UnderWay),
    /// Nobody has asked for it, or it was forgotten since.
    Absent,
    /// It could not be built.
    Failed,
}

impl Pasts {
    /// The past of a log.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, archive: Arc<dyn Archive>) -> Self {
        Self(Arc::new(Shared { log, archive, state: Mutex::default() }))
    }

    /// How the past up to an event stands.
    #[must_use]
    pub fn show(&self, until: Position) -> Past {
        let mut state = self.0.lock();
        if let Some(at) = state.kept.iter().position(|(position, _)| *position == until) {
            let kept = state.kept.remove(at);
            let reads = Arc::clone(&kept.1);
            state.kept.push(kept);
            return Past::Built(reads);
        }
        match state.under_way {
            Some(under_way) if under_way.until == until => Past::UnderWay(under_way),
            _ if state.failed == Some(until) => Past::Failed,
            _ => Past::Absent,
        }
    }

    /// Those that are kept, the one that was asked for last first, and the one that is being built.
    #[must_use]
    pub fn list(&self) -> (Vec<Position>, Option<UnderWay>) {
        let state = self.0.lock();
        (state.kept.iter().rev().map(|(until, _)| *until).collect(), state.under_way)
    }

    /// Has the past up to an event built, unless it is there or another one is being built; whether it
    /// is this one that is, or is there.
    ///
    /// # Errors
    /// [`Error::Malformed`] where the log has no such event.
    pub fn ask(&self, until: Position) -> Result<bool, Error> {
        let head = *self.0.log.head().borrow();
        if until == 0 || until > head {
            return Err(Error::Malformed(format!("the log has the events 1 to {head}")));
        }
        let mut state = self.0.lock();
        if state.kept.iter().any(|(position, _)| *position == until) {
            return Ok(true);
        }
        if let Some(under_way) = state.under_way {
            return Ok(under_way.until == until);
        }
        state.under_way = Some(UnderWay { until, position: 0 });
        state.failed = None;
        drop(state);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move { shared.build_and_keep(until).await });
        Ok(true)
    }

    /// The last event that had happened at a time; none where the log began later.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn position_at(&self, time: DateTime<Utc>) -> Result<Option<Position>, Error> {
        let position = last_where(self.0.log.as_ref(), |at| at <= time).await?;
        Ok((position > 0).then_some(position))
    }

    /// When an event happened.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn time_of(&self, position: Position) -> Result<Option<DateTime<Utc>>, Error> {
        let Some(before) = position.checked_sub(1) else { return Ok(None) };
        Ok(self.0.log.read_all(before, 1).await?.first().map(|recorded| recorded.time))
    }
}

impl Shared {
    async fn build_and_keep(&self, until: Position) {
        let built = self.build(until).await;
        let mut gone = Vec::new();
        {
            let mut state = self.lock();
            state.under_way = None;
            match built {
                Ok(reads) => state.kept.push((until, reads)),
                Err(error) => {
                    tracing::warn!(%error, position = until, "the past could not be built");
                    state.failed = Some(until);
                    gone.push((until, None));
                }
            }
            while state.kept.len() > KEPT_MAX {
                let (position, reads) = state.kept.remove(0);
                gone.push((position, Some(reads)));
            }
        }
        for (position, reads) in gone {
            if let Some(reads) = reads {
                reads.model().discard().await;
            }
            self.archive.remove(position).await;
        }
    }

    async fn build(&self, until: Position) -> Result<Arc<Reads>, Error> {
        let model: Arc<dyn ReadModel> = self.archive.open(until).await?;
        let mut replay = Replay::new(Arc::clone(&self.log), model.rebuild().await?);
        loop {
            let begun_at = Instant::now();
            let has_more = replay.step(until).await?;
            self.lock().under_way = Some(UnderWay { until, position: replay.position() });
            if !has_more {
                break;
            }
            tokio::time::sleep(begun_at.elapsed().min(REST_MAX)).await;
        }
        replay.into_rows().swap_in().await?;
        Ok(Arc::new(Reads::of(Arc::clone(&self.log), model).await?))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
