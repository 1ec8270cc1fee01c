//! A facilitator over a scripted chain, and workers that are stopped at the end.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::contract::payments::{Handed, policy};
use ccd402_app::contract::scripted::{Blocks, DrivenClock, ScriptedChain};
use ccd402_app::facilitator::{Facilitator, Options};
use ccd402_app::ports::chain::{ChainError, FinalizedBlock};
use ccd402_app::submit::Submitted;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::verification::state::Outcome;
use ccd402_protocol::code::ReasonCode;
use ccd402_store::MemoryLog;
use ccd402_workers::error::Error;
use ccd402_workers::follower::{Follower, Status};
use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than any backoff; the paused clock makes it no wait at all.
pub(crate) const LONG: Duration = Duration::from_secs(300);

pub(crate) struct Bench {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) chain: Arc<ScriptedChain>,
    pub(crate) facilitator: Arc<Facilitator>,
    pub(crate) shutdown: CancellationToken,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let log = Arc::new(MemoryLog::default());
        let chain = Arc::new(ScriptedChain::default());
        let options = Options {
            policy: policy(),
            reservation: TimeDelta::seconds(60),
            wait_max: LONG * 2,
            waiting_max: 10_000,
            waiting_max_per_tenant: 10_000,
        };
        let clock = Arc::new(DrivenClock::default());
        let facilitator = Arc::new(Facilitator::new(log.clone(), chain.clone(), clock, options));
        Self { log, chain, facilitator, shutdown: CancellationToken::new() }
    }

    pub(crate) fn follow(&self) -> (JoinHandle<Result<(), Error>>, watch::Receiver<Status>) {
        let (follower, status) = Follower::new(self.facilitator.clone());
        let shutdown = self.shutdown.clone();
        (tokio::spawn(async move { follower.run(None, shutdown).await }), status)
    }

    pub(crate) fn script(&self, blocks: &[FinalizedBlock], last: Option<ChainError>) {
        let ends = last.is_some();
        let items = blocks.iter().cloned().map(Ok).chain(last.map(Err)).collect();
        self.chain.push_blocks(Blocks { items, ends });
    }

    pub(crate) async fn submit(&self, handed: &Handed) -> VerificationId {
        match self
            .facilitator
            .submit(&TenantId::default(), &handed.body(), None)
            .await
            .unwrap()
            .unwrap()
        {
            Submitted::New(id) => id,
            Submitted::Repeated(state) => panic!("{state:?}"),
        }
    }

    /// Another facilitator over the same log and chain, as after a restart.
    pub(crate) fn restarted(&self) -> Arc<Facilitator> {
        let clock = Arc::new(DrivenClock::default());
        let (log, chain) = (self.log.clone(), self.chain.clone());
        Arc::new(Facilitator::new(log, chain, clock, self.facilitator.options().clone()))
    }

    /// The outcome, if it is known.
    pub(crate) async fn outcome_now(&self, id: VerificationId) -> Option<Result<(), ReasonCode>> {
        let found = self.facilitator.query(&Reach::All, id, Duration::ZERO).await;
        match found.unwrap().unwrap().outcome {
            Outcome::Pending { .. } => None,
            Outcome::Confirmed { .. } => Some(Ok(())),
            Outcome::Failed(rejection) => Some(Err(rejection.code)),
        }
    }

    /// Stops a worker, which must end well.
    pub(crate) async fn stop(&self, worker: JoinHandle<Result<(), Error>>) {
        self.shutdown.cancel();
        worker.await.unwrap().unwrap();
    }
}

pub(crate) async fn until_followed(status: &mut watch::Receiver<Status>, height: u64) {
    let is_there = |status: &Status| status.last.is_some_and(|last| last.height == height);
    tokio::time::timeout(LONG, status.wait_for(is_there)).await.unwrap().unwrap();
}
