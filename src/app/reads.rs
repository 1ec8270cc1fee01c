//! What every read of the read model shares: it says as of which event it holds, and waits, within
//! bounds, for the event that the caller has seen already.
//!
//! Single verifications are read from the log, and wait for the log alone.

use std::sync::Arc;
use std::time::Duration;

use ccd402_domain::tenant::TenantId;
use tokio::sync::watch;

use crate::builds::Builds;
use crate::error::Error;
use crate::glance::{Leaders, Span};
use crate::kept::Kept;
use crate::ports::log::{EventLog, Position};
use crate::ports::overview::Overview;
use crate::ports::read_model::{Checkpoint, ReadModel};

/// Longest wait for an event that the log does not have: another process may have told of it.
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest wait until the read model holds an event that the log has.
pub const POSITION_WAIT_MAX: Duration = Duration::from_secs(5);

/// The use cases that read many verifications. Listing and counting are its methods, one a file.
pub struct Reads {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) model: Arc<dyn ReadModel>,
    pub(crate) builds: watch::Sender<Builds>,
    pub(crate) overviews: Kept<(Option<TenantId>, Span), Overview>,
    pub(crate) leading: Kept<(Option<TenantId>, Span), Leaders>,
}

impl Reads {
    /// Reads of a log by its read model. Rows that were made from another log, as where a backup was
    /// restored, are discarded before anybody reads them.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn of(log: Arc<dyn EventLog>, model: Arc<dyn ReadModel>) -> Result<Self, Error> {
        let (builds, overviews, leading) = Default::default();
        let reads = Self { log, model, builds, overviews, leading };
        // A read model that cannot even be asked is as good as none.
        if let Ok(Some(checkpoint)) = reads.model.checkpoint().await
            && !reads.is_of_the_log(checkpoint).await?
        {
            tracing::warn!(
                position = checkpoint.position,
                "the read model was made from another log and will be built again"
            );
            reads.model.discard().await;
        }
        Ok(reads)
    }

    async fn is_of_the_log(&self, checkpoint: Checkpoint) -> Result<bool, Error> {
        let Some(before) = checkpoint.position.checked_sub(1) else { return Ok(true) };
        // Others may have written both since this process has looked at the log.
        let mut head = self.log.head();
        let reaches = head.wait_for(|head| *head >= checkpoint.position);
        let _ = tokio::time::timeout(HEAD_WAIT_MAX, reaches).await;
        let there = self.log.read_all(before, 1).await?;
        Ok(there.first().is_some_and(|recorded| recorded.id == checkpoint.event))
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The read model.
    #[must_use]
    pub fn model(&self) -> &Arc<dyn ReadModel> {
        &self.model
    }

    /// Waits until the log has an event: enough for what is read from the log.
    ///
    /// # Errors
    /// [`Error::Malformed`] where it does not: nobody can have been told of that event.
    pub async fn log_reaches(&self, position: Option<Position>) -> Result<(), Error> {
        let Some(least) = position else { return Ok(()) };
        let mut head = self.log.head();
        let waited = tokio::time::timeout(HEAD_WAIT_MAX, head.wait_for(|head| *head >= least));
        if let Ok(Ok(_)) = waited.await {
            return Ok(());
        }
        let head = *self.log.head().borrow();
        Err(Error::Malformed(format!("position {least} is beyond the head, which is {head}")))
    }

    /// Waits until the read model holds an event.
    ///
    /// # Errors
    /// [`Error::Behind`] where it does not in time; as [`Reads::log_reaches`] where there is none.
    pub async fn reach(&self, position: Option<Position>) -> Result<(), Error> {
        let Some(least) = position else { return Ok(()) };
        self.log_reaches(position).await?;
        let mut reached = self.model.position();
        let is_there = |at: &Option<Position>| at.is_some_and(|at| at >= least);
        match tokio::time::timeout(POSITION_WAIT_MAX, reached.wait_for(is_there)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::Behind),
        }
    }
}
