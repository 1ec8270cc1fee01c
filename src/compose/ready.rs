//! Watches the parts of a facilitator and tells `/readyz` and the metrics how they are.
//!
//! Twice a second for all, so that probes cost nothing. Names of metrics are in ops/metrics.md.

use std::sync::Arc;
use std::time::Duration;

use ccd402_api::ready::Readiness;
use ccd402_app::ports::log::{EventLog as _, Position};
use ccd402_app::reads::Reads;
use ccd402_store::sled::SledLog;
use ccd402_workers::follower::Status;
use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;
use tokio::sync::watch;

/// How often the parts are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How long the follower may go without a node before requests should go elsewhere: changing over
/// to another node takes less.
const CUT_MAX: Duration = Duration::from_secs(5);
/// How old the newest block may be that was followed.
const BEHIND_MAX: TimeDelta = TimeDelta::seconds(60);
/// How many events the read model may be behind the log.
const PROJECTION_LAG_MAX: Position = 50_000;

/// The parts.
pub(crate) struct Parts {
    pub(crate) log: Arc<SledLog>,
    pub(crate) follower: watch::Receiver<Status>,
    pub(crate) reads: Arc<Reads>,
}

/// Watches until it is dropped.
pub(crate) async fn watch(parts: Parts, readiness: Readiness) {
    let broken = Arc::clone(&parts.log);
    let broken = broken.broken();
    tokio::pin!(broken);
    loop {
        tokio::select! {
            _ = &mut broken => break,
            () = parts.look(&readiness) => {}
        }
    }
    // The process stops; until then nobody must be sent here.
    readiness.report("log", Some("log_unavailable"));
    std::future::pending::<()>().await;
}

impl Parts {
    async fn look(&self, readiness: &Readiness) {
        let status = self.follower.borrow().clone();
        readiness.report("log", None);
        readiness.report("node", node(&status));
        readiness.report("follower", follower(&status, Utc::now()));
        readiness.report("projection", self.projection().await);
        measure(&status, Utc::now());
        tokio::time::sleep(EVERY).await;
    }

    async fn projection(&self) -> Option<&'static str> {
        let head = *self.log.head().borrow();
        let Ok(checkpoint) = self.reads.model().checkpoint().await else {
            return Some("projection_unavailable");
        };
        let lag = head.saturating_sub(checkpoint.map_or(0, |checkpoint| checkpoint.position));
        gauge!("ccd402_projection_lag_events").set(lag as f64);
        (lag > PROJECTION_LAG_MAX).then_some("projection_behind")
    }
}

fn node(status: &Status) -> Option<&'static str> {
    let is_cut = status.cut_at.is_some_and(|cut_at| cut_at.elapsed() > CUT_MAX);
    (is_cut || status.last.is_none()).then_some("node_unavailable")
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
    use std::time::Instant;

    use ccd402_domain::ids::BlockHash;
    use ccd402_domain::transaction::BlockRef;

    use super::*;

    #[test]
    fn a_follower_is_judged_by_its_blocks() {
        let now = Utc::now();
        let at = |time| BlockRef { height: 1, hash: BlockHash::from_bytes([0; 32]), time };
        let mut status = Status::default();
        let words = |status: &Status| (node(status), follower(status, now));
        assert_eq!(words(&status), (Some("node_unavailable"), Some("follower_behind")));
        status.last = Some(at(now - TimeDelta::seconds(61)));
        assert_eq!(words(&status), (None, Some("follower_behind")));
        status.last = Some(at(now - TimeDelta::seconds(5)));
        assert_eq!(words(&status), (None, None));
        status.cut_at = Some(Instant::now());
        assert_eq!(words(&status), (None, None), "another node may be found yet");
        status.cut_at = Instant::now().checked_sub(CUT_MAX + Duration::from_secs(1));
        assert_eq!(words(&status), (Some("node_unavailable"), None));
        status.halted = Some("a block that is not understood".to_owned());
        assert_eq!(words(&status).1, Some("follower_halted"));
    }
}
