//! Runs what only one process at a time may do, for as long as this one holds the lease.
//!
//! It renews the lease and stops the work once it is lost, or may be. That it stops in time is not
//! relied upon: what the work writes carries the lease's epoch.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::ports::lease::{Fence, LeaseName, Leases};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How often somebody else's lease is looked at: much less than a holder's death may cost.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a lease is renewed within its term.
const RENEWALS: u32 = 4;
/// How long work that must stop may take for it.
const STOP_MAX: Duration = Duration::from_secs(1);

/// Whether a process shares its log with others.
#[derive(Clone)]
pub enum Leasing {
    /// It has the log to itself: it holds everything, and nothing needs a fence.
    Alone,
    /// It takes leases.
    Shared(Arc<dyn Leases>),
}

impl Leasing {
    /// Runs some work whenever this process holds the lease, until told to stop. Work that ends by
    /// itself has given up for good: others may take the lease then, and this process does not.
    ///
    /// # Errors
    /// That of the work.
    pub async fn while_held<F>(
        &self,
        lease: LeaseName,
        shutdown: CancellationToken,
        work: impl Fn(Option<Fence>, CancellationToken) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        let Self::Shared(leases) = self else {
            work(None, shutdown.clone()).await?;
            shutdown.cancelled().await;
            return Ok(());
        };
        while let Some((fence, until)) = take(leases.as_ref(), &lease, &shutdown).await {
            let stop = shutdown.child_token();
            let holding = Holding { leases: leases.as_ref(), fence: &fence, until };
            let ended = holding.run(work(Some(fence.clone()), stop.clone()), stop).await;
            metrics::gauge!("ccd402_lease_held", "lease" => lease.to_string()).set(0.0);
            match ended {
                Ended::Lost => {}
                Ended::Done(ended) => {
                    holding.give_up().await;
                    ended?;
                    shutdown.cancelled().await;
                }
            }
        }
        Ok(())
    }
}

/// Waits until the lease is this process's; `None` where it is told to stop. Says until when, at the
/// least, it is held.
async fn take(
    leases: &dyn Leases,
    lease: &LeaseName,
    shutdown: &CancellationToken,
) -> Option<(Fence, Instant)> {
    let mut is_told = false;
    while !shutdown.is_cancelled() {
        let until = Instant::now() + leases.term();
        match shutdown.run_until_cancelled(leases.take(lease)).await? {
            Ok(Some(fence)) => {
                tracing::info!(%lease, epoch = fence.epoch, "this process has taken the lease");
                metrics::gauge!("ccd402_lease_held", "lease" => lease.to_string()).set(1.0);
                return Some((fence, until));
            }
            Ok(None) => is_told = false,
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%lease, %error, "a lease cannot be taken");
                }
            }
        }
        shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await?;
    }
    None
}

/// A lease that is held.
struct Holding<'a> {
    leases: &'a dyn Leases,
    fence: &'a Fence,
    /// Until when, at the least.
    until: Instant,
}

/// What ended the work.
enum Ended {
    /// Itself, or the stop of the process.
    Done(Result<(), Error>),
    /// The lease may be somebody else's.
    Lost,
}

impl Holding<'_> {
    async fn run(
        &self,
        work: impl Future<Output = Result<(), Error>>,
        stop: CancellationToken,
    ) -> Ended {
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => return Ended::Done(ended),
            () = self.keep() => {}
        }
        let lease = &self.fence.lease;
        tracing::warn!(%lease, epoch = self.fence.epoch, "this process has lost the lease");
        stop.cancel();
        // Dropped where it does not stop: what it writes is refused.
        match tokio::time::timeout(STOP_MAX, work).await {
            Ok(Err(error)) => Ended::Done(Err(error)),
            Ok(Ok(())) | Err(_) => Ended::Lost,
        }
    }

    /// Renews the lease; ends once it is lost, or could be.
    async fn keep(&self) {
        let pause = self.leases.term() / RENEWALS;
        let mut until = self.until;
        loop {
            tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
            let next = Instant::now() + self.leases.term();
            match tokio::time::timeout_at(until, self.leases.renew(self.fence)).await {
                Ok(Ok(true)) => until = next,
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::debug!(lease = %self.fence.lease, %error, "a lease was not renewed");
                }
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// So that others need not wait for its end.
    async fn give_up(&self) {
        match tokio::time::timeout(STOP_MAX, self.leases.give_up(self.fence)).await {
            Ok(Ok(())) => tracing::info!(lease = %self.fence.lease, "the lease was given up"),
            Ok(Err(error)) => {
                tracing::debug!(lease = %self.fence.lease, %error, "a lease was not given up");
            }
            Err(_) => {}
        }
    }
}
