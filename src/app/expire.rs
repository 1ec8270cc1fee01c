//! Fails what can never come any more: verifications whose challenge closed long ago by the chain's
//! own time, and of whose transaction no node knows.
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

/// What came of a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Verifications whose time was over.
    pub looked_at: usize,
    /// Of these, how many must be looked at again because chain or log had no time for them.
    pub left: usize,
}

impl Facilitator {
    /// Looks at everything whose time is over, once the follower has seen a block.
    ///
    /// A verification whose check fails for now is left for the next pass.
    ///
    /// # Errors
    /// Where the log fails.
    pub async fn expire(&self) -> Result<Expired, Error> {
        let mut expired = Expired::default();
        let Some(tip) = self.recent.last() else { return Ok(expired) };
        let mut after: Option<Waiting> = None;
        loop {
            let page = self.log.waiting(self.chain.network(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(expired) };
            after = Some(*last);
            for waiting in page.iter().filter(|waiting| waiting.closes_at + MARGIN < tip.time) {
                expired.looked_at += 1;
                match self.look_at(waiting.verification, tip).await {
                    Ok(()) => {}
                    Err(error @ (Error::Chain(_) | Error::Overloaded | Error::Contended)) => {
                        expired.left += 1;
                        tracing::debug!(
                            verification.id = %waiting.verification, %error,
                            "could not look at a verification whose time is over; the next pass does"
                        );
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn look_at(&self, id: VerificationId, tip: BlockRef) -> Result<(), Error> {
        match self.resolve(id).await? {
            Some(state) if !state.is_decided() => self.give_up(state, tip).await,
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
}
