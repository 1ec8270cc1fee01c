//! The facilitator: the ports, and how a command reaches a Verification. Use cases are its methods,
//! one a file.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::payment::Policy;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::decide::decide;
use ccd402_domain::verification::state::{Verification, evolve};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::error::Error;
use crate::facts::{self, FactsKept};
use crate::latency::Latencies;
use crate::measure;
use crate::ports::chain::Chain;
use crate::ports::clock::Clock;
use crate::ports::log::{Append, AppendError, EventLog, StreamId};
use crate::recent::RecentTransactions;
use crate::sponsored::Sponsors;
use crate::trace::{self, Outcome};
use crate::wakeups::Wakeups;

/// How often a decision is made anew because somebody else appended first.
const DECISIONS_MAX: usize = 64;

/// What a facilitator allows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Network and times.
    pub policy: Policy,
    /// How long `/verify` holds a payment that `/settle` will use up.
    pub reservation: TimeDelta,
    /// Longest wait for finality within one call.
    pub wait_max: Duration,
    /// Most verifications that may wait for a transaction.
    pub waiting_max: u64,
    /// Most of these that may be one tenant's.
    pub waiting_max_per_tenant: u64,
}

/// The facilitator's use cases over its ports.
pub struct Facilitator {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recent: RecentTransactions,
    pub(crate) wakeups: Wakeups,
    pub(crate) facts_kept: FactsKept,
    /// Events whose jobs found no room in the queue yet.
    pub(crate) undispatched: AtomicU64,
    /// How long submissions took lately.
    pub(crate) submits: Latencies,
    /// Present where it sponsors payments.
    pub(crate) sponsors: Option<Sponsors>,
    pub(crate) options: Options,
}

/// What became of a command.
pub(crate) struct Executed {
    /// The state after it.
    pub(crate) state: Verification,
    /// Whether this call appended anything.
    pub(crate) changed: bool,
}

impl Facilitator {
    /// A facilitator over these ports.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        chain: Arc<dyn Chain>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        let recent = RecentTransactions::default();
        let facts_kept = FactsKept::new(facts::GENERATION_MAX);
        let (wakeups, undispatched, submits) = Default::default();
        let sponsors = None;
        Self {
            log,
            chain,
            clock,
            recent,
            wakeups,
            facts_kept,
            undispatched,
            submits,
            sponsors,
            options,
        }
    }

    /// The event log.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> &Arc<dyn Chain> {
        &self.chain
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What it allows.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// A verification as the log tells it.
    pub(crate) async fn load(&self, id: VerificationId) -> Result<Option<Verification>, Error> {
        let recorded = self.log.read_stream(&StreamId::verification(id), 0).await?;
        Ok(Verification::fold(recorded.iter().map(|recorded| &recorded.event))?)
    }

    /// Decides, appends, and decides anew where somebody else appended first.
    ///
    /// `cause` makes the events' ids. Two callers may pass the same cause only where it does not
    /// matter which of them appends: the second is told of success, too.
    pub(crate) async fn execute(
        &self,
        id: VerificationId,
        command: Command,
        cause: Uuid,
    ) -> Result<Result<Executed, Rejection>, Error> {
        self.execute_with(id, command, cause, |_| Vec::new()).await
    }

    /// As [`Facilitator::execute`], with more to append in the same batch.
    pub(crate) async fn execute_with(
        &self,
        id: VerificationId,
        mut command: Command,
        cause: Uuid,
        alongside: impl Fn(&[Event]) -> Vec<Append> + Send,
    ) -> Result<Result<Executed, Rejection>, Error> {
        for _ in 0..DECISIONS_MAX {
            let state = self.load(id).await?;
            let events = match decide(state.as_ref(), command.clone()) {
                Ok(events) => events,
                Err(rejection) => return Ok(Err(rejection)),
            };
            let Some(state) = state else { return Err(Error::Contended) };
            if events.is_empty() {
                return Ok(Ok(Executed { state, changed: false }));
            }
            let mut appends = vec![Append {
                stream: StreamId::verification(id),
                expected_version: state.version,
                events: events.clone(),
                time: self.clock.now(),
                cause,
                attachment: None,
            }];
            appends.extend(alongside(&events));
            let (was_decided, requested_at) = (state.is_decided(), state.requested_at);
            match self.append(appends).await {
                Ok(_) => {
                    let state = events
                        .iter()
                        .try_fold(Some(state), |state, event| evolve(state, event).map(Some))?;
                    let Some(state) = state else { return Err(Error::Contended) };
                    self.wakeups.wake(id);
                    if state.is_decided() && !was_decided {
                        self.keep_promise(id);
                        measure::decided(requested_at, self.clock.now());
                        if let Some(outcome) = Outcome::of(&events) {
                            trace::decided(id, requested_at, outcome);
                        }
                    }
                    return Ok(Ok(Executed { state, changed: true }));
                }
                Err(AppendError::VersionConflict { stream, .. })
                    if stream == StreamId::verification(id) => {}
                // What goes alongside was appended by somebody else: deciding anew is no help.
                Err(AppendError::VersionConflict { .. }) => return Err(Error::Contended),
                Err(AppendError::ClaimConflict { .. }) => command = Command::LoseClaim,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }
}
