//! What only the log in a directory does: outlive its process, refuse damage, say that it is busy.

use std::sync::Arc;

use ccd402_app::ports::log::EventLog;
use tempfile::TempDir;

use super::*;

mod contract {
    use super::*;

    async fn fresh() -> (Arc<dyn EventLog>, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Arc::new(SledLog::open(Options::new(dir.path())).await.unwrap()), dir)
    }

    ccd402_app::log_contract!(fresh);
}
