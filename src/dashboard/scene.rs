//! When a page is of: the present, or the past up to some event.

use std::sync::Arc;

use ccd402_app::ports::log::Position;
use ccd402_app::reads::Reads;
use chrono::{DateTime, Utc};

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::shown::Now;

/// When a page is of, and where its rows are read.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) reads: Arc<Reads>,
    /// The last event that had happened; none in the present.
    pub(crate) until: Option<Position>,
    /// What time it is then.
    pub(crate) now: DateTime<Utc>,
    /// What links within it begin with.
    pub(crate) root: String,
    /// As of when ages are told, if at all.
    pub(crate) told_at: Now,
}

impl Scene {
    /// The present.
    pub(crate) fn present(dashboard: &Dashboard, caller: &Caller) -> Self {
        let now = dashboard.now();
        Self {
            reads: Arc::clone(&dashboard.reads),
            until: None,
            now,
            root: caller.base.clone(),
            told_at: Some(now),
        }
    }

    /// The same for what is sent to live pages, whose script tells ages.
    pub(crate) fn live(dashboard: &Dashboard, caller: &Caller) -> Self {
        Self { told_at: None, ..Self::present(dashboard, caller) }
    }

    pub(crate) fn is_past(&self) -> bool {
        self.until.is_some()
    }
}
