//! `/settle` of a sponsored payment: signed, written down, sent, final, and used up by one call.
//!
//! A caller whose time is over hears that it is pending; the settlement goes on, and the same call
//! again waits on.

use std::time::Duration;

use ccd402_domain::rejection::Rejection;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::PresentedSponsored;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Keyed;
use crate::sponsored::Sponsors;
use crate::sponsored::hold::Handed;
use crate::verify::Call;

/// How long a payment is tried to be sent at least, also for who does not wait.
const SEND_MIN: Duration = Duration::from_secs(1);

impl Facilitator {
    /// Settles a sponsored payment; succeeds once.
    pub(crate) async fn settle_sponsored(
        &self,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        presented: PresentedSponsored,
    ) -> Result<Answer, Error> {
        let (sponsors, handed) = match self.read_sponsored(call, presented) {
            Ok(read) => read,
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        // Nothing is answered yet, so nothing is recorded with the hold.
        let unkeyed = Keyed { key: None, ..keyed };
        let state = match self.held(sponsors, call, unkeyed, &handed).await? {
            Ok(held) => held.state,
            Err(rejection) => return Ok(Answer::refused(rejection)),
        };
        let state = match self.sent_off(sponsors, call, &handed, state).await? {
            Ok(state) => state,
            Err((state, rejection)) => return Ok(Answer::about(&state, Err(rejection))),
        };
        match &state.outcome {
            Outcome::Confirmed { .. } => {
                self.use_up(&state, Command::Consume(Consumer::Settle), keyed, None).await
            }
            Outcome::Pending { .. } => {
                let pending = Rejection::of(ReasonCode::SettlementPending);
                Ok(Answer::about(&state, Err(pending)))
            }
            Outcome::Failed(rejection) => {
                let answer = Answer::about(&state, Err(rejection.clone()));
                self.refuse(keyed, state.id, answer).await
            }
        }
    }

    /// Signs and sends, and waits for what comes of it.
    async fn sent_off(
        &self,
        sponsors: &Sponsors,
        call: &Call<'_>,
        handed: &Handed,
        state: Verification,
    ) -> Result<Result<Verification, (Verification, Rejection)>, Error> {
        if state.is_decided() {
            return Ok(Ok(state));
        }
        let state = match self.sign(sponsors, state.clone(), handed).await? {
            Ok(state) => state,
            Err(rejection) => return Ok(Err((state, rejection))),
        };
        let begun_at = Instant::now();
        // It is written down: what is not sent in the caller's time is sent by a job.
        match tokio::time::timeout(call.wait.max(SEND_MIN), self.send_next(sponsors, &state)).await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(verification.id = %state.id, %error, "a payment is not sent yet");
            }
            Err(_) => {
                tracing::warn!(verification.id = %state.id, "no node takes a payment in time");
            }
        }
        let left = call.wait.saturating_sub(begun_at.elapsed());
        let outcome = self.outcome(state.id, left).await?;
        Ok(Ok(outcome.unwrap_or(state)))
    }
}
