//! Sends what is signed, the payments of one payer in the order of their numbers: a node takes none
//! before the one below it.
//!
//! Sending the same bytes again is no harm. Whoever settles sends at once; a job looks after each
//! payment until the chain has decided it, also after a crash.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ccd402_domain::ids::{TransactionHash, VerificationId, uuid_of};
use ccd402_domain::rejection::Rejection;
use ccd402_domain::sponsored::payment::SponsoredPayment;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use tokio::time::Instant;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::chain::TransactionStatus;
use crate::ports::sponsoring::{Freshness, Sent as Answered};
use crate::sponsored::Sponsors;

/// How long after a node took a payment it is asked what became of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a payment is looked at again that no node has taken.
const AGAIN: Duration = Duration::from_secs(2);
/// Payments that are remembered as sent.
const REMEMBERED_MAX: usize = 65_536;

/// What is left to do for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Nothing: it is decided.
    Done,
    /// To look again after a while.
    Again(Duration),
}

/// What nodes have taken a short while ago.
#[derive(Debug, Default)]
pub(super) struct Sent {
    at: Mutex<HashMap<TransactionHash, Instant>>,
}

impl Sent {
    fn is_recent(&self, hash: TransactionHash) -> bool {
        self.lock().get(&hash).is_some_and(|at| at.elapsed() < PATIENCE)
    }

    fn remember(&self, hash: TransactionHash) {
        let mut at = self.lock();
        if at.len() >= REMEMBERED_MAX {
            at.retain(|_, at| at.elapsed() < PATIENCE);
        }
        at.insert(hash, Instant::now());
    }

    fn forget(&self, hash: TransactionHash) {
        self.lock().remove(&hash);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransactionHash, Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facilitator {
    /// Looks after a payment that is signed: sends it where no node has it, and finds out where the
    /// follower has not.
    ///
    /// # Errors
    /// Where log or chain fail. It must be looked after again then.
    pub async fn look_after(&self, id: VerificationId) -> Result<Sending, Error> {
        let (Some(sponsors), Some(state)) = (&self.sponsors, self.load(id).await?) else {
            return Ok(Sending::Done);
        };
        let Some(payment) = SponsoredPayment::of(&state.payment) else { return Ok(Sending::Done) };
        if state.is_decided() || state.block_item.is_none() {
            return Ok(Sending::Done);
        }
        let hash = state.payment.transaction;
        if sponsors.sent.is_recent(hash) {
            return Ok(Sending::Again(PATIENCE));
        }
        // The account first: a number that is used up was used by what is final now.
        let next = self.next_number(sponsors, &payment, Freshness::Now).await?;
        match self.chain.transaction(hash).await? {
            TransactionStatus::Finalized(transaction) => {
                self.record_transaction(state, *transaction).await?;
                Ok(Sending::Done)
            }
            TransactionStatus::Received | TransactionStatus::Committed => {
                sponsors.sent.remember(hash);
                Ok(Sending::Again(PATIENCE))
            }
            TransactionStatus::Unknown if next > payment.sequence_number => {
                self.give_up_overtaken(&state).await
            }
            TransactionStatus::Unknown => {
                sponsors.sent.forget(hash);
                self.send_next(sponsors, &state).await?;
                let is_sent = sponsors.sent.is_recent(hash);
                Ok(Sending::Again(if is_sent { PATIENCE } else { AGAIN }))
            }
        }
    }

    /// Sends what of the payer's payments may be sent now.
    pub(super) async fn send_next(
        &self,
        sponsors: &Sponsors,
        state: &Verification,
    ) -> Result<(), Error> {
        let Some(payment) = SponsoredPayment::of(&state.payment) else { return Ok(()) };
        let lane = sponsors.lanes.entry(payment.payer.account());
        let _turn = lane.working.lock().await;
        let mut next = self.next_number(sponsors, &payment, Freshness::Known).await?;
        let (holds, _) = self.holds(&payment, next).await?;
        for held in holds.all() {
            if held.hold.sequence_number != next {
                return Ok(());
            }
            let Some(state) = self.load(held.verification).await? else { return Ok(()) };
            let is_on_chain = match &state.outcome {
                Outcome::Confirmed { .. } => true,
                Outcome::Failed(why) if why.code == ReasonCode::TransactionFailedOnChain => true,
                Outcome::Failed(_) => return Ok(()),
                Outcome::Pending { .. } => sponsors.sent.is_recent(state.payment.transaction),
            };
            if !is_on_chain && !self.send(sponsors, &state).await? {
                return Ok(());
            }
            next += 1;
        }
        Ok(())
    }

    /// Sends one payment; false where it is not signed or no node takes it.
    async fn send(&self, sponsors: &Sponsors, state: &Verification) -> Result<bool, Error> {
        let hash = state.payment.transaction;
        let block_item = state.block_item.as_deref().map(hex::decode);
        let Some(Ok(block_item)) = block_item else { return Ok(false) };
        match sponsors.port.send(&block_item).await? {
            Answered::Taken => {
                sponsors.sent.remember(hash);
                Ok(true)
            }
            Answered::Refused(why) => {
                tracing::warn!(
                    verification.id = %state.id, transaction.hash = %hash, %why,
                    "the node refuses a sponsored transaction; it is tried again until it expires"
                );
                Ok(false)
            }
        }
    }

    async fn next_number(
        &self,
        sponsors: &Sponsors,
        payment: &SponsoredPayment,
        freshness: Freshness,
    ) -> Result<u64, Error> {
        let payer = sponsors.port.account(&payment.payer, freshness).await?;
        Ok(payer.map_or(0, |payer| payer.next_sequence_number))
    }

    /// Fails a payment whose number another transaction has taken: it can be in no block any more.
    async fn give_up_overtaken(&self, state: &Verification) -> Result<Sending, Error> {
        // A node that is behind the follower knows less than it: its "unknown" says nothing.
        let tip = self.chain.tip().await?;
        if self.recent.last().is_none_or(|last| tip.height < last.height) {
            return Ok(Sending::Again(AGAIN));
        }
        // Asked once more: it may have come into its block since the node was asked.
        if self.chain.transaction(state.payment.transaction).await? != TransactionStatus::Unknown {
            return Ok(Sending::Again(Duration::ZERO));
        }
        let detail = "another transaction of the payer has taken its sequence number";
        let rejection = Rejection::new(ReasonCode::InvalidTransactionState, detail);
        let cause = uuid_of(&[b"overtaken", state.payment.transaction.as_bytes()]);
        self.report(state.id, Command::Reject(rejection), cause).await?;
        Ok(Sending::Done)
    }
}
