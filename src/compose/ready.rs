//! Watches the parts of a facilitator and tells `/readyz` and the metrics how they are.
//!
//! Twice a second for all, so that probes cost nothing. Names of metrics are in ops/metrics.md.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ccd402_api::ready::Readiness;
use ccd402_app::ports::log::Position;
use ccd402_app::reads::Reads;
use ccd402_workers::follower::Status;
use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;
use tokio::sync::watch;

use crate::compose::log::Log;

/// How often the parts are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How long the follower may come no further before requests should go elsewhere: blocks finalize
/// every few seconds, and changing over to another node takes less.
const STILL_MAX: Duration = Duration::from_secs(15);
/// How old the newest block may be that was followed.
const BEHIND_MAX: TimeDelta = TimeDelta::seconds(60);
/// How many events the read model may be behind the log.
const PROJECTION_LAG_MAX: Position = 50_000;

/// The parts.
pub(crate) struct Parts {
    pub(crate) log: Log,
    pub(crate) follower: watch::Receiver<Status>,
    pub(crate) reads: Arc<Reads>,
}

/// How far the follower has come, and since when it stands there.
struct Progress {
    height: Option<u64>,
    since: Instant,
}

/// Watches until it is dropped.
pub(crate) async fn watch(parts: Parts, readiness: Readiness) {
    let mut progress = Progress { height: None, since: Instant::now() };
    let mut broken = parts.log.broken();
    loop {
        tokio::select! {
            _ = &mut broken => break,
            () = parts.look(&mut progress, &readiness) => {}
        }
    }
    // The process stops; until then nobody must be sent here.
    readiness.report("log", Some("log_unavailable"));
    std::future::pending::<()>().await;
}

impl Parts {
    async fn look(&self, progress: &mut Progress, readiness: &Readiness) {
        let status = self.follower.borrow().clone();
        progress.note(status.last.map(|block| block.height));
        readiness.report("log", None);
        readiness.report("node", node(progress));
        readiness.report("follower", follower(&status, Utc::now()));
        readiness.report("projection", self.projection().await);
        measure(&status, Utc::now());
        tokio::time::sleep(EVERY).await;
    }

    async fn projection(&self) -> Option<&'static str> {
        let head = self.log.head();
        let Ok(checkpoint) = self.reads.model().checkpoint().await else {
            return Some("projection_unavailable");
        };
        let lag = head.saturating_sub(checkpoint.map_or(0, |checkpoint| checkpoint.position));
        gauge!("ccd402_projection_lag_events").set(lag as f64);
        (lag > PROJECTION_LAG_MAX).then_some("projection_behind")
    }
}

impl Progress {
    fn note(&mut self, height: Option<u64>) {
        if height != self.height {
            *self = Self { height, since: Instant::now() };
        }
    }
}

fn node(progress: &Progress) -> Option<&'static str> {
    let is_still = progress.since.elapsed() > STILL_MAX;
    (is_still || progress.height.is_none()).then_some("node_unavailable")
}

fn follower(status: &Status, now: DateTime<Utc>) -> Option<&'static str> {
    match (&status.halted, status.last) {
        (Some(_), _) => Some("follower_halted"),
        (None, Some(block)) if now - block.time <= BEHIND_MAX => None,
        (None, _) => Some("follower_behind"),
    }
}

fn measure(status: &Status, now: DateTime<Utc>) {
    let Some(block) = status.last else { return };
    gauge!("ccd402_follower_height").set(block.height as f64);
    let lag = (now - block.time).to_std().unwrap_or_default();
    gauge!("ccd402_follower_lag_seconds").set(lag.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use ccd402_domain::ids::BlockHash;
    use ccd402_domain::transaction::BlockRef;

    use super::*;

    #[test]
    fn a_follower_is_judged_by_its_blocks() {
        let now = Utc::now();
        let at = |time| BlockRef { height: 1, hash: BlockHash::from_bytes([0; 32]), time };
        let mut status = Status::default();
        assert_eq!(follower(&status, now), Some("follower_behind"));
        status.last = Some(at(now - TimeDelta::seconds(61)));
        assert_eq!(follower(&status, now), Some("follower_behind"));
        status.last = Some(at(now - TimeDelta::seconds(5)));
        assert_eq!(follower(&status, now), None);
        status.halted = Some("a block that is not understood".to_owned());
        assert_eq!(follower(&status, now), Some("follower_halted"));
    }

    #[test]
    fn a_node_is_there_while_the_follower_comes_on() {
        let mut progress = Progress { height: None, since: Instant::now() };
        assert_eq!(node(&progress), Some("node_unavailable"), "it has brought nothing yet");
        progress.note(Some(1));
        assert_eq!(node(&progress), None);
        let long_ago = Instant::now().checked_sub(STILL_MAX + Duration::from_secs(1));
        progress.since = long_ago.expect("the machine has run for longer");
        progress.note(Some(1));
        assert_eq!(node(&progress), Some("node_unavailable"));
        progress.note(Some(2));
        assert_eq!(node(&progress), None);
    }
}
