//! Moves one verification as far as it can go now: the payer's proofs, then the transaction.
//!
//! Idempotent, and safe to run at any time by anyone. It never waits for finality; that is the
//! follower's part.

use std::time::Instant;

use ccd402_domain::ids::{VerificationId, uuid_of};
use ccd402_domain::payment::Proofs;
use ccd402_domain::rejection::Rejection;
use ccd402_domain::transaction::FinalizedTransaction;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::state::Verification;
use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use tracing::Instrument as _;

use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::measure;
use crate::ports::chain::{PresentationCheck, SignatureCheck, TransactionStatus};
use crate::ports::log::StreamId;
use crate::trace;

/// A transfer may be this much older than its challenge by the clocks; see the rules.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(10);

impl Facilitator {
    /// Moves a verification as far as it can go now.
    ///
    /// # Errors
    /// Where the log or the chain fails; nothing is decided then.
    pub async fn resolve(&self, id: VerificationId) -> Result<Option<Verification>, Error> {
        let entry = self.wakeups.entry(id);
        let _working = entry.working.lock().await;
        let Some(state) = self.load(id).await? else { return Ok(None) };
        if state.is_decided() {
            return Ok(Some(state));
        }
        let state = self.resolve_transaction(state).await?;
        let state = self.resolve_proofs(state).await?;
        Ok(Some(state))
    }

    async fn resolve_transaction(&self, state: Verification) -> Result<Verification, Error> {
        if !state.is_open_to_transfers() {
            return Ok(state);
        }
        let hash = state.payment.transaction;
        let transaction = match self.recent.get(hash) {
            Some(transaction) => transaction,
            // The follower has seen all since the challenge opened: it will meet this one, too.
            None if self.recent.covers(state.payment.window.opens_at - CLOCK_SKEW) => {
                return Ok(state);
            }
            None => match self.chain.transaction(hash).await? {
                TransactionStatus::Finalized(transaction) => *transaction,
                _ => return Ok(state),
            },
        };
        self.record_transaction(state, transaction).await
    }

    pub(crate) async fn record_transaction(
        &self,
        state: Verification,
        transaction: FinalizedTransaction,
    ) -> Result<Verification, Error> {
        let cause = uuid_of(&[b"finalized", transaction.block.hash.as_bytes()]);
        let id = state.id;
        self.report(id, Command::RecordTransaction(transaction), cause).await
    }

    async fn resolve_proofs(&self, mut state: Verification) -> Result<Verification, Error> {
        if state.is_decided() || !state.awaits_proofs() {
            return Ok(state);
        }
        let Some(proofs) = self.proofs(state.id).await? else {
            // Without its proofs it can never be confirmed; a log that was imported has none.
            let rejection = Rejection::new(
                ReasonCode::IdentityRequired,
                "the proofs are not kept any more; hand the payment in again",
            );
            return self.report(state.id, Command::Reject(rejection), cause("proofs lost")).await;
        };
        if state.awaits_presentation {
            state = self.resolve_presentation(state, &proofs).await?;
        }
        if state.awaits_signature && !state.is_decided() {
            state = self.resolve_signature(state, proofs).await?;
        }
        Ok(state)
    }

    async fn resolve_presentation(
        &self,
        state: Verification,
        proofs: &Proofs,
    ) -> Result<Verification, Error> {
        let check = PresentationCheck {
            presentation: proofs.presentation.clone().unwrap_or_default(),
            required: state.payment.identity.clone(),
            challenge: state.payment.digest,
            payer: state.payment.payer,
        };
        let begun_at = Instant::now();
        let hop = trace::checking_identity(state.id);
        let checked = self.chain.check_presentation(check).instrument(hop.clone()).await;
        measure::identity_checked(begun_at, &checked);
        trace::identity_checked(&hop, &checked);
        drop(hop);
        let command = match checked? {
            Ok(proven) => Command::RecordIdentity(proven),
            Err(rejection) => Command::Reject(rejection),
        };
        self.report(state.id, command, cause("presentation checked")).await
    }

    async fn resolve_signature(
        &self,
        state: Verification,
        proofs: Proofs,
    ) -> Result<Verification, Error> {
        let check = SignatureCheck {
            signatures: proofs.signatures.unwrap_or_default(),
            digest: state.payment.digest,
            payer: state.payment.payer,
        };
        let command = match self.chain.check_signature(check).await? {
            Ok(()) => Command::RecordBinding,
            Err(rejection) => Command::Reject(rejection),
        };
        self.report(state.id, command, cause("signature checked")).await
    }

    /// Reports a finding, which no Verification refuses.
    pub(crate) async fn report(
        &self,
        id: VerificationId,
        command: Command,
        cause: uuid::Uuid,
    ) -> Result<Verification, Error> {
        match self.execute(id, command, cause).await? {
            Ok(executed) => Ok(executed.state),
            Err(_) => Err(Error::Contended),
        }
    }

    async fn proofs(&self, id: VerificationId) -> Result<Option<Proofs>, Error> {
        let attachment = self.log.attachment(&StreamId::verification(id)).await?;
        Ok(attachment.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

fn cause(what: &str) -> uuid::Uuid {
    uuid_of(&[what.as_bytes()])
}
