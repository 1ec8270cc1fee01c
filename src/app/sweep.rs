//! Looks at everything that waits: what can never come any more fails, what was missed is resolved.
//!
//! One pass for all, never a timer a verification.

use ccd402_domain::ids::{VerificationId, uuid_of};
use ccd402_domain::transaction::BlockRef;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::state::Verification;
use chrono::TimeDelta;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::ports::chain::TransactionStatus;
use crate::ports::log::Waiting;

/// Verifications looked at between two reads of the index.
const PAGE: usize = 512;
/// How far past the challenge's end the chain must be before the transaction is given up.
const MARGIN: TimeDelta = TimeDelta::seconds(10);

/// What a sweep looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only what has outlived its challenge.
    Overdue,
    /// Everything, as after a start: work may have been cut off anywhere.
    Everything,
}

/// What came of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Verifications looked at closely.
    pub looked_at: usize,
    /// Of these, how many must be looked at again because chain or log had no time for them.
    pub left: usize,
}

impl Facilitator {
    /// Sweeps over everything that waits.
    ///
    /// A verification whose check fails for now is left for the next sweep.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn sweep(&self, scope: Scope) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let Some(tip) = self.recent.last() else { return Ok(swept) };
        let mut after: Option<Waiting> = None;
        loop {
            let page = self.log.waiting(self.chain.network(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = Some(*last);
            for waiting in page {
                let is_overdue = waiting.closes_at + MARGIN < tip.time;
                if !is_overdue && scope == Scope::Overdue {
                    continue;
                }
                swept.looked_at += 1;
                match self.look_at(waiting.verification, is_overdue.then_some(tip)).await {
                    Ok(()) => {}
                    Err(error @ (Error::Chain(_) | Error::Overloaded | Error::Contended)) => {
                        swept.left += 1;
                        tracing::debug!(
                            verification.id = %waiting.verification, %error,
                            "could not resolve a waiting verification; the next sweep tries again"
                        );
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn look_at(&self, id: VerificationId, overdue: Option<BlockRef>) -> Result<(), Error> {
        let Some(state) = self.resolve(id).await? else { return Ok(()) };
        match overdue {
            Some(tip) if !state.is_decided() => self.give_up(state, tip).await,
            _ => Ok(()),
        }
    }

    /// Asks the chain once more, then fails what it does not have.
    async fn give_up(&self, state: Verification, tip: BlockRef) -> Result<(), Error> {
        // A node that is behind the follower knows less than it: its "unknown" says nothing.
        if self.chain.tip().await?.height < tip.height {
            return Ok(());
        }
        match self.chain.transaction(state.payment.transaction).await? {
            TransactionStatus::Finalized(transaction) => {
                self.record_transaction(state, *transaction).await?;
            }
            TransactionStatus::Unknown => {
                let cause = uuid_of(&[b"expired", tip.hash.as_bytes()]);
                self.report(state.id, Command::Expire, cause).await?;
            }
            // In a block past its time, and not final: the follower decides it.
            TransactionStatus::Received | TransactionStatus::Committed => {}
        }
        Ok(())
    }

    /// Whether a new verification needs work beyond waiting for the follower.
    #[must_use]
    pub fn needs_work(&self, requested: &ccd402_domain::payment::Payment) -> bool {
        requested.needs_presentation()
            || requested.needs_signature()
            || self.recent.get(requested.transaction).is_some()
            || !self.recent.covers(requested.window.opens_at - MARGIN)
    }

    /// The last block that the follower has seen since the start.
    #[must_use]
    pub fn last_block(&self) -> Option<BlockRef> {
        self.recent.last()
    }
}
