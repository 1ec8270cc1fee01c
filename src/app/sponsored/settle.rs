//! `/settle` of a sponsored payment: signed, written down, sent, final, and used up by one call.
//!
//! A caller whose time is over hears that it is pending; the settlement goes on, and the same call
//! again waits on.

use ccd402_domain::rejection::Rejection;
use ccd402_domain::verification::command::Command;
use ccd402_domain::verification::event::Consumer;
use ccd402_domain::verification::state::{Outcome, Verification};
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::presented::PresentedSponsored;

use crate::answer::Answer;
use crate::error::Error;
use crate::facilitator::Facilitator;
use crate::idempotency::Keyed;
use crate::sponsored::Sponsors;
use crate::sponsored::hold::Handed;
use crate::verify::Call;

impl Facilitator {
    /// Settles a sponsored payment; succeeds once.
    pub(crate) async fn settle_sponsored(
        &self,
        call: &Call<'_>,
        keyed: Keyed<'_>,
        presented: PresentedSponsored,
    ) -> Result<Answer, Error> {
        let read = self.sponsors().and_then(|sponsors| {
            let handed = self.read_sponsored(sponsors, call, presented)?;
            Ok((sponsors, handed))
        });
        let (sponsors, handed) = match read {
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
        let state = match self.sign(sponsors, state.clone(), &handed.wire).await? {
            Ok(state) => state,
            Err(rejection) => return Ok(Err((state, rejection))),
        };
        if let Err(error) = self.send_next(sponsors, &state).await {
            // It is written down: a job sends it.
            tracing::warn!(verification.id = %state.id, %error, "a payment is not sent yet");
        }
        let outcome = self.outcome(state.id, call.wait).await?;
        Ok(Ok(outcome.unwrap_or(state)))
    }
}
