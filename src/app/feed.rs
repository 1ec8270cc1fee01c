//! The events of the log as one reader may see them: from any position on, filtered, then live.
//!
//! A feed keeps a page and no queue: it reads on when it is asked for more, so a slow reader costs
//! no memory and misses nothing. What is shown is durable, for the log shows nothing else.

use std::sync::Arc;

use ccd402_domain::account::AccountAddress;
use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_domain::tenant::Reach;
use tokio::sync::watch;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::facts::Facts;
use crate::ports::log::{Position, Recorded, StreamId};

/// Events that are looked at in one step.
const PAGE_EVENTS: usize = 64;

/// A status that a verification reaches by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// By `VerificationRequested`.
    Pending,
    /// By `VerificationConfirmed`.
    Confirmed,
    /// By `VerificationFailed`.
    Failed,
}

/// Which events a reader wants; everything that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these types; of all where there are none.
    pub types: Vec<String>,
    /// By which this status was reached.
    pub status: Option<Status>,
    /// Of this verification.
    pub verification: Option<VerificationId>,
    /// Of verifications of payments to this account.
    pub pay_to: Option<AccountAddress>,
    /// Of verifications of payments by this account.
    pub payer: Option<AccountAddress>,
    /// Of verifications of this transaction.
    pub transaction: Option<TransactionHash>,
}

/// A reader's place in the log.
pub struct Feed {
    facilitator: Arc<Facilitator>,
    reach: Reach,
    filter: Filter,
    head: watch::Receiver<Position>,
    after: Position,
}

impl Status {
    fn of(event: &Event) -> Option<Self> {
        match event {
            Event::VerificationRequested(_) => Some(Self::Pending),
            Event::VerificationConfirmed(_) => Some(Self::Confirmed),
            Event::VerificationFailed(_) => Some(Self::Failed),
            _ => None,
        }
    }
}

impl Filter {
    /// What the event itself can answer.
    fn admits(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        let is_of_type = self.types.is_empty() || self.types.iter().any(|t| t == event.name());
        let is_of_status = self.status.is_none() || self.status == Status::of(event);
        let wanted = self.verification;
        let is_its = wanted.is_none() || wanted == recorded.stream.as_verification();
        is_of_type && is_of_status && is_its
    }

    fn admits_facts(&self, facts: &Facts) -> bool {
        self.pay_to.is_none_or(|pay_to| pay_to == facts.pay_to)
            && self.payer.is_none_or(|payer| payer == facts.payer)
            && self.transaction.is_none_or(|transaction| transaction == facts.transaction)
    }

    fn needs_facts(&self) -> bool {
        self.pay_to.is_some() || self.payer.is_some() || self.transaction.is_some()
    }
}

impl Facilitator {
    /// A feed of what lies within reach, from after a position on.
    #[must_use]
    pub fn feed(self: &Arc<Self>, reach: Reach, filter: Filter, after: Position) -> Feed {
        let head = self.log.head();
        Feed { facilitator: Arc::clone(self), reach, filter, head, after }
    }

    /// The events of one verification within reach, oldest first; `None` where there is no such.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn history(
        &self,
        reach: &Reach,
        id: VerificationId,
    ) -> Result<Option<Vec<Recorded>>, Error> {
        let events = self.log.read_stream(&StreamId::verification(id), 0).await?;
        let is_there = match events.first().map(|first| &first.event) {
            Some(Event::VerificationRequested(requested)) => reach.covers(&requested.tenant),
            _ => false,
        };
        Ok(is_there.then_some(events))
    }
}

impl Feed {
    /// The position up to which everything was looked at.
    #[must_use]
    pub fn position(&self) -> Position {
        self.after
    }

    /// What is to be shown of the next events, perhaps nothing; waits until there are any. May be
    /// given up at any time: nothing is lost. `None` once the log is gone.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Recorded>>, Error> {
        let after = self.after;
        if self.head.wait_for(|head| *head > after).await.is_err() {
            return Ok(None);
        }
        let mut shown = self.facilitator.log.read_all(after, PAGE_EVENTS).await?;
        let position = shown.last().map_or(after, |last| last.position);
        let mut wanted = Vec::with_capacity(shown.len());
        for recorded in &shown {
            wanted.push(self.wants(recorded).await?);
        }
        let mut wanted = wanted.into_iter();
        shown.retain(|_| wanted.next() == Some(true));
        self.after = position;
        Ok(Some(shown))
    }

    async fn wants(&self, recorded: &Recorded) -> Result<bool, Error> {
        if let Event::VerificationRequested(requested) = &recorded.event {
            let facts = Facts::of(requested);
            self.facilitator.facts_kept.insert(requested.verification, facts);
        }
        if !self.filter.admits(recorded) {
            return Ok(false);
        }
        if self.reach == Reach::All && !self.filter.needs_facts() {
            return Ok(true);
        }
        let Some(id) = recorded.stream.as_verification() else { return Ok(false) };
        let facts = self.facilitator.facts(id).await?;
        Ok(facts.is_some_and(|facts| {
            self.reach.covers(&facts.tenant) && self.filter.admits_facts(&facts)
        }))
    }
}
