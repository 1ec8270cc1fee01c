//! Which job a verification calls for: proofs to check, or a transaction that the follower may have
//! passed.
//!
//! Nothing is queued here, and nothing is decided. Who queues jobs says when it cannot keep up; then
//! submissions are turned away until it can.

use std::sync::atomic::Ordering;

use ccd402_domain::event::Event;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::payment::Payment;
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::event::VerificationRequested;
use chrono::TimeDelta;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::log::{Position, Recorded, Waiting};
use crate::ports::queue::Job;

/// A transfer may be this much older than its challenge by the clocks; see the rules.
const MARGIN: TimeDelta = TimeDelta::seconds(10);
/// Events that jobs may still have to be derived from before submissions are turned away.
pub const UNDISPATCHED_MAX: Position = 50_000;

/// Jobs that are called for by verifications that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledFor {
    /// The jobs; a verification that only waits for the follower calls for none.
    pub jobs: Vec<Job>,
    /// Where to look on; `None` at the end.
    pub next: Option<Waiting>,
}

impl Facilitator {
    /// The job that a new verification calls for, if it needs more than waiting for the follower.
    #[must_use]
    pub fn job_for(&self, requested: &VerificationRequested) -> Option<Job> {
        let payment = &requested.payment;
        let awaits_proofs = payment.needs_presentation() || payment.needs_signature();
        self.job(requested.verification, payment, awaits_proofs)
    }

    /// The jobs that the new verifications among these events call for, and the transactions that
    /// were signed.
    ///
    /// One that only waits for its transaction calls for none once anything has happened to it: the
    /// follower has decided it meanwhile. Who dispatches late would else make work of what is done,
    /// and come later and later.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn jobs_for(&self, events: &[Recorded]) -> Result<Vec<Job>, Error> {
        let (mut streams, mut jobs) = (Vec::new(), Vec::new());
        let mut sending = Vec::new();
        for recorded in events {
            if let (Event::TransactionSigned(_), Some(verification)) =
                (&recorded.event, recorded.stream.as_verification())
            {
                sending.push(Job::SendTransaction { verification });
            }
            let Event::VerificationRequested(requested) = &recorded.event else { continue };
            let Some(job) = self.job_for(requested) else { continue };
            streams.push(recorded.stream.clone());
            jobs.push(job);
        }
        if jobs.is_empty() {
            return Ok(sending);
        }
        let versions = self.log.versions(&streams).await?;
        let is_open = |(job, version): &(Job, u64)| {
            *version <= 1 || !matches!(job, Job::ResolveTransaction { .. })
        };
        sending.extend(jobs.into_iter().zip(versions).filter(is_open).map(|(job, _)| job));
        Ok(sending)
    }

    /// The jobs that waiting verifications call for, of at most `max` of them: what a queue that was
    /// lost is filled with again.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn jobs_called_for(
        &self,
        after: Option<Waiting>,
        max: usize,
    ) -> Result<CalledFor, Error> {
        let page = self.log.waiting(self.chain.network(), after, max).await?;
        let mut jobs = Vec::new();
        for waiting in &page {
            let Some(state) = self.load(waiting.verification).await? else { continue };
            jobs.extend(match &state.block_item {
                Some(_) => Some(Job::SendTransaction { verification: state.id }),
                None => self.job(state.id, &state.payment, state.awaits_proofs()),
            });
        }
        Ok(CalledFor { jobs, next: page.last().copied() })
    }

    fn job(&self, id: VerificationId, payment: &Payment, awaits_proofs: bool) -> Option<Job> {
        if awaits_proofs {
            return Some(Job::CheckIdentity { verification: id });
        }
        // Nobody sends it but us, and then there is an event that says so.
        if payment.sponsored.is_some() {
            return None;
        }
        let may_be_passed = self.recent.get(payment.transaction).is_some()
            || !self.recent.covers(payment.window.opens_at - MARGIN);
        may_be_passed.then_some(Job::ResolveTransaction { verification: id })
    }

    /// How many events nobody has derived jobs from yet.
    pub fn report_undispatched(&self, events: Position) {
        self.undispatched.store(events, Ordering::Relaxed);
    }

    /// The same, as it was reported last.
    #[must_use]
    pub fn undispatched(&self) -> Position {
        self.undispatched.load(Ordering::Relaxed)
    }

    /// Turns a submission away whose jobs nobody would get to in time.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub(crate) fn must_keep_up(&self) -> Result<(), Error> {
        if self.undispatched() > UNDISPATCHED_MAX {
            return Err(Error::Overloaded);
        }
        Ok(())
    }

    /// The last block that the follower has seen since the start.
    #[must_use]
    pub fn last_block(&self) -> Option<BlockRef> {
        self.recent.last()
    }
}
