//! The task of a replica that sees how far the read model has come, whoever writes it, and that
//! removes what nobody reads any more where this replica may write.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Shared, catalog};
use crate::postgres::connect;

/// Between two looks for what is left of builds.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Shortest time between two looks, however many hints there are.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until the read model is closed, or nobody has it any more.
pub(super) async fn run(shared: Weak<Shared>, poll: Duration) {
    let mut is_failing = false;
    let mut tidied_at = Instant::now();
    loop {
        let Some(hint) = shared.upgrade().map(|shared| Arc::clone(&shared.hint)) else { return };
        // A hint, or it is time.
        let _ = tokio::time::timeout(poll, hint.notified()).await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.own.is_closed() {
            return;
        }
        match shared.look().await {
            Ok(()) => is_failing = false,
            Err(_) if shared.own.is_closed() => return,
            Err(error) if !is_failing => {
                tracing::warn!(%error, "how far the read model has come cannot be seen");
                is_failing = true;
            }
            Err(_) => {}
        }
        if tidied_at.elapsed() >= TIDY_EVERY {
            tidied_at = Instant::now();
            shared.tidy().await;
        }
        drop(shared);
        tokio::time::sleep(PAUSE).await;
    }
}

impl Shared {
    /// One look, by one cheap statement.
    pub(super) async fn look(&self) -> Result<(), crate::error::Error> {
        let since = self.known.changes();
        let looking = async {
            let mut db = self.own.acquire().await?;
            match catalog::current(&mut db, self.version).await {
                Ok(current) => Ok(current),
                Err(super::Failure::Database(error)) => Err(error),
                // A name that is none of ours: there is nothing that can be read.
                Err(super::Failure::Model(_)) => Ok(None),
            }
        };
        let current = connect::within(looking).await?;
        self.known.saw(since, current);
        Ok(())
    }

    /// Removes what is left of builds that nobody reads, where this replica writes.
    pub(super) async fn tidy(&self) {
        let Some(held) = self.held() else { return };
        let tidying = async {
            let mut db = self.own.acquire().await?;
            for build in catalog::left(&mut db, self.version, &held).await? {
                catalog::remove(&mut db, &build).await?;
                tracing::info!(build = build.id, "what was left of a read model is removed");
            }
            Ok::<_, super::Failure>(())
        };
        if let Err(error) =
            tidying.await.map_err(ccd402_app::ports::read_model::ReadModelError::from)
        {
            tracing::debug!(%error, "what is left of read models is not removed yet");
        }
    }
}
