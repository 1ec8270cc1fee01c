//! One facilitator with everything that a test moves.

use std::sync::Arc;
use std::time::Duration;

use ccd402_app::answer::Answer;
use ccd402_app::contract::payments::{Handed, block, block_ref, policy};
use ccd402_app::contract::scripted::{DrivenClock, ScriptedChain};
use ccd402_app::contract::sponsors::ScriptedSponsors;
use ccd402_app::error::Error;
use ccd402_app::facilitator::{Facilitator, Options};
use ccd402_app::idempotency::IdempotencyKey;
use ccd402_app::ports::log::EventLog;
use ccd402_app::sponsored::Options as Sponsored;
use ccd402_app::submit::Submitted;
use ccd402_app::verify::Call;
use ccd402_domain::ids::{ReservationId, VerificationId};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::tenant::{Reach, TenantId};
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use ccd402_store::MemoryLog;
use chrono::TimeDelta;

/// How long calls wait where waiting is no matter.
pub(crate) const WAIT: Duration = Duration::from_secs(30);
/// The first block that the follower sees, 10 s before any challenge opens: as early as a transfer
/// counts.
pub(crate) const FIRST: u64 = 90;
/// The block after it.
pub(crate) const NEXT: u64 = 91;
/// For calls that look and go.
pub(crate) const NO_WAIT: Duration = Duration::ZERO;

/// A facilitator whose follower has seen the first block.
pub(crate) struct Bench {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) chain: Arc<ScriptedChain>,
    pub(crate) clock: DrivenClock,
    pub(crate) facilitator: Arc<Facilitator>,
    options: Options,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let bench = Self::without_blocks(Options {
            policy: policy(),
            reservation: TimeDelta::seconds(60),
            wait_max: Duration::from_secs(80),
            waiting_max: 10_000,
            waiting_max_per_tenant: 10_000,
        });
        bench.facilitator.follow(&block(FIRST, &[]), None).await.unwrap();
        bench
    }

    pub(crate) fn without_blocks(options: Options) -> Self {
        let log = Arc::new(MemoryLog::default());
        let chain = Arc::new(ScriptedChain::default());
        let clock = DrivenClock::default();
        let facilitator = facilitator(&log, &chain, &clock, &options);
        Self { log, chain, clock, facilitator, options }
    }

    /// Another facilitator over the same log, chain and clock: after a restart, or beside it.
    pub(crate) fn another(&self) -> Arc<Facilitator> {
        facilitator(&self.log, &self.chain, &self.clock, &self.options)
    }

    /// One that sponsors, over the same log, chain and clock.
    pub(crate) fn sponsoring(
        &self,
        sponsors: &Arc<ScriptedSponsors>,
        options: Sponsored,
    ) -> Arc<Facilitator> {
        let log: Arc<dyn EventLog> = self.log.clone();
        let clock = Arc::new(self.clock.clone());
        let facilitator = Facilitator::new(log, self.chain.clone(), clock, self.options.clone());
        Arc::new(facilitator.sponsoring(sponsors.clone(), options))
    }

    /// The next block, paying these.
    pub(crate) async fn finalize(&self, paid: &[&Handed]) {
        self.facilitator.follow(&block(NEXT, paid), Some(block_ref(FIRST))).await.unwrap();
    }

    pub(crate) async fn verify(&self, handed: &Handed, wait: Duration) -> Answer {
        verify(&self.facilitator, handed, None, wait).await.unwrap()
    }

    pub(crate) async fn settle(&self, handed: &Handed) -> Answer {
        let body = handed.body();
        self.facilitator
            .settle(Call { tenant: &TenantId::default(), body: &body, key: None, wait: NO_WAIT })
            .await
            .unwrap()
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

    pub(crate) async fn state(&self, id: VerificationId) -> Verification {
        self.facilitator.query(&Reach::All, id, NO_WAIT).await.unwrap().unwrap()
    }

    /// `Ok(())` for confirmed.
    pub(crate) async fn outcome(&self, id: VerificationId) -> Option<Result<(), ReasonCode>> {
        match self.state(id).await.outcome {
            Outcome::Pending { .. } => None,
            Outcome::Confirmed { .. } => Some(Ok(())),
            Outcome::Failed(rejection) => Some(Err(rejection.code)),
        }
    }

    /// Until so many verifications wait.
    pub(crate) async fn until_waiting(&self, count: u64) {
        while self.log.waiting_count() < count {
            tokio::task::yield_now().await;
        }
    }
}

fn facilitator(
    log: &Arc<MemoryLog>,
    chain: &Arc<ScriptedChain>,
    clock: &DrivenClock,
    options: &Options,
) -> Arc<Facilitator> {
    let clock = Arc::new(clock.clone());
    Arc::new(Facilitator::new(log.clone(), chain.clone(), clock, options.clone()))
}

pub(crate) async fn verify(
    facilitator: &Facilitator,
    handed: &Handed,
    key: Option<&str>,
    wait: Duration,
) -> Result<Answer, Error> {
    let key: Option<IdempotencyKey> = key.map(|key| key.parse().unwrap());
    let (tenant, body) = (TenantId::default(), handed.body());
    facilitator.verify(Call { tenant: &tenant, body: &body, key: key.as_ref(), wait }).await
}

pub(crate) fn reason(answer: &Answer) -> Result<Option<ReservationId>, ReasonCode> {
    answer.result.clone().map_err(|rejection: Rejection| rejection.code)
}

pub(crate) fn is_valid(answer: &Answer) -> bool {
    answer.result.is_ok()
}
