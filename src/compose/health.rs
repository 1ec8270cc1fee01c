//! Tells the API how the follower is doing.

use ccd402_api::health::Health;
use ccd402_workers::follower::Status;
use tokio::sync::watch;

/// Passes the follower's status on until the follower is gone.
pub(crate) async fn report(mut follower: watch::Receiver<Status>, health: Health) {
    loop {
        let status = follower.borrow_and_update().clone();
        match (&status.halted, status.last) {
            (Some(_), _) => health.halted(),
            (None, Some(block)) => health.followed(block.height),
            (None, None) => {}
        }
        if follower.changed().await.is_err() {
            return;
        }
    }
}
